"""A file at an address, through redirects, which never lead out of an encrypted connection."""

from __future__ import annotations

from urllib.parse import urljoin

from autoclave.store.registry.address import origin_of
from autoclave.store.registry.http import Answer, Broken, Wire

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HOPS = 5


def open_address(wire: Wire, url: str) -> Answer:
    """Return the answer at the end of the redirects, not read yet. Raises Broken."""
    seen = url
    for _ in range(_HOPS):
        answer = wire.send("GET", seen, headers={})
        if answer.status not in _REDIRECTS:
            return answer
        answer.close()
        there = urljoin(seen, answer.headers.get("Location", ""))
        if origin_of(there)[0] != "https" and origin_of(there)[:2] != origin_of(url)[:2]:
            raise Broken("it redirects to an address that is not encrypted", final=True)
        seen = there
    raise Broken(f"it redirects more than {_HOPS} times", final=True)
