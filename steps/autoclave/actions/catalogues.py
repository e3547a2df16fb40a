"""Renew the catalogues about exploitation that the policy names, verified before they are kept."""

from __future__ import annotations

from collections.abc import Callable

from autoclave.errors import DatabaseError
from autoclave.model.facts import Catalogue
from autoclave.runtime.folder import Folder
from autoclave.runtime.retry import BUSY, Retry
from autoclave.scanners import catalogues
from autoclave.scanners.catalogues import Source
from autoclave.store.registry.http import Answer, Broken, Wire
from autoclave.store.registry.redirects import open_address

_LARGEST_FILE = 64 * 1024 * 1024


def renew(source: Source, send: Callable[[str], bytes] | None = None) -> Catalogue:
    """Fetch a catalogue that the policy names by an address, keep it when it can be used, and return it.

    A file is only read. Raises DatabaseError; the copy that was there stays.
    """
    if not source.is_remote:
        return catalogues.read(source, catalogues.read_file(source)).records[0]
    raw = (send or _fetch)(source.location)
    fresh = catalogues.read(source, raw).records[0]
    if source.digest and fresh.digest != source.digest:
        raise catalogues.refuse(source, "is another one", f"{source.location} has {fresh.digest}")
    file = source.file()
    try:
        there = catalogues.read(source, file.read_bytes()).records[0] if file.is_file() else None
    except (DatabaseError, OSError):
        there = None
    if there and there.updated > fresh.updated and not source.digest:
        why = f"it is of {fresh.updated:%Y-%m-%d}, the copy here of {there.updated:%Y-%m-%d}"
        raise catalogues.refuse(source, "is older than the copy here", why)
    file.parent.mkdir(parents=True, exist_ok=True)
    Folder(file.parent).write(file.name, [raw])
    return fresh


def _fetch(url: str) -> bytes:
    """Return what is at an address. Redirects are followed, but not out of the encrypted connection."""
    wire = Wire(None)

    def attempt() -> Answer:
        return open_address(wire, url).read(_LARGEST_FILE)

    def retry_after(outcome: Answer | Exception) -> str | None:
        if isinstance(outcome, Answer):
            return outcome.headers.get("Retry-After", "") if outcome.status in BUSY else None
        return "" if isinstance(outcome, Broken) and not outcome.final else None

    try:
        answer = Retry()(attempt, retry_after)
    except Broken as error:
        raise DatabaseError(
            f"{url} cannot be fetched", why=error.why, next="check the address, then retry"
        ) from error
    if answer.status != 200:
        why = f"the server answers {answer.status}"
        raise DatabaseError(f"{url} cannot be fetched", why=why, next="check the address in the policy")
    return answer.body
