"""Requests to one repository: authorised, retried when that may help, and explained when they fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from urllib.parse import urljoin

from autoclave.model.place import is_loopback
from autoclave.runtime.retry import TRIES, Retry
from autoclave.store.registry.address import Address, origin_of, printable_url
from autoclave.store.registry.challenge import Authority, Source
from autoclave.store.registry.errors import RegistryError, explain_refusal
from autoclave.store.registry.http import Answer, Wire
from autoclave.store.registry.retry import send_until_answered

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HOPS = 5
_ERROR = 256 * 1024
DOCUMENT = 64 * 1024 * 1024
"""Largest manifest or list that is read, in bytes."""


class Client:
    """One repository of a registry, over HTTP. Threads may share it."""

    def __init__(
        self,
        address: Address,
        source: Source,
        ca: Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address = address
        self.retry = Retry(sleep)
        self._wire = Wire(ca)
        self._authority = Authority(address, source, self._wire, self.retry)

    def send(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] = {},
        body: bytes = b"",
        ok: Collection[int] = (200,),
        tries: int = TRIES,
    ) -> Answer:
        """Send a request and read its answer whole; raise RegistryError when its status is not in `ok`.

        `target` is a path in the repository or a whole URL, such as the location of an upload.
        """
        url = self.absolute(target)
        return self._send_until_accepted(
            lambda: self._exchange(method, url, headers, body), method, url, ok=ok, tries=tries, whole=True
        )

    def open(self, target: str, *, headers: Mapping[str, str], ok: Collection[int]) -> Answer:
        """GET something whose body the caller streams; it may break off."""
        url = self.absolute(target)
        return self._send_until_accepted(lambda: self._exchange("GET", url, headers, b""), "GET", url, ok=ok)

    def absolute(self, target: str) -> str:
        """Return the whole URL of a path in the repository."""
        return target if target.startswith(("http://", "https://")) else self.address.url(target)

    def resolve(self, base: str, location: str) -> str:
        """Resolve a Location or Link; raise RegistryError when it would leave the encrypted connection.

        Unencrypted are only the addresses of a registry that is so itself, on its own host or this machine.
        """
        try:
            url = urljoin(base, location)
        except ValueError:
            url = ""
        scheme, host, _ = origin_of(url)
        own_scheme, own, _ = self.address.origin
        is_near = own_scheme == "http" and (host == own or is_loopback(host))
        if not host or (scheme != "https" and not is_near):
            raise RegistryError(
                f"the registry {self.address.host} names an address that is not allowed",
                why=f"{printable_url(url)[:300]} is not encrypted" if host else "it is malformed",
                next="let the registry, or the proxy before it, name its addresses with https",
            )
        return url

    def _send_until_accepted(
        self,
        exchange: Callable[[], Answer],
        method: str,
        url: str,
        *,
        ok: Collection[int],
        tries: int = TRIES,
        whole: bool = False,
    ) -> Answer:
        """Return the answer of an exchange that succeeded, its body read when `whole`."""

        def attempt() -> Answer:
            answer = exchange()
            if answer.status not in ok:
                return answer.read(_ERROR)
            return answer.read(DOCUMENT) if whole else answer

        answer = send_until_answered(self.retry, attempt, url, tries=tries)
        if answer.status not in ok:
            raise explain_refusal(method, answer, tried=self._authority.tried, mask=self._authority.mask)
        return answer

    def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request with the authorisation for its address, and follow redirects."""
        renewed = False
        for _ in range(_HOPS + 2):
            # A redirect or an upload may be to another storage: it gets no credentials.
            ours = origin_of(url) == self.address.origin
            sent = self._authority.header if ours else ""
            given = {**headers, "Authorization": sent} if sent else headers
            answer = self._wire.send(method, url, headers=given, body=body)
            if answer.status == 401 and ours and not renewed:
                answer.read(_ERROR)
                renewed = True
                if not self._authority.renew(answer, sent):
                    return answer
            elif answer.status in _REDIRECTS and method in {"GET", "HEAD"}:
                answer.read(_ERROR)
                url = self.resolve(url, answer.headers.get("Location", ""))
            else:
                return answer
        return answer
