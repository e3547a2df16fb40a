"""Upload a blob to a registry: at once when it is small, else in chunks that continue where they broke off.

Source: OCI distribution specification 1.1 (pushing a blob in chunks).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import quote

from autoclave.runtime.retry import TRIES
from autoclave.store.registry.client import Client
from autoclave.store.registry.errors import RegistryError
from autoclave.store.registry.http import Answer
from autoclave.store.registry.retry import RETRIED

CHUNK = 16 * 1024 * 1024
_LARGEST_CHUNK = 1 << 30
_BYTES = "application/octet-stream"
_RANGE = re.compile(r"(?:bytes=)?0-(\d{1,18})")


class _Gone(Exception):
    """The registry does not know the upload any more."""


class _Unconfirmed(Exception):
    """The end of an upload failed, and it is not certain whether the blob is there."""

    def __init__(self, error: RegistryError) -> None:
        super().__init__(error.what)
        self.error = error


def upload(client: Client, digest: str, size: int, content: Callable[[], Iterator[bytes]]) -> None:
    """Upload a blob of `size` bytes; `content` streams it from its start, as often as it is needed.

    Raises RegistryError when the registry refuses it, or breaks off too often.
    """
    for turn in range(1, TRIES + 1):
        try:
            _session(client, digest, size, content)
        except _Gone:
            pass
        except _Unconfirmed as unsure:
            if turn == TRIES:
                raise unsure.error from unsure
            client.retry.wait(turn, unsure.error.retry_after)
            if is_there(client, digest):  # only the answer was lost
                return
        else:
            return
    raise RegistryError(
        f"the registry {client.address.host} lost the upload of {digest} {TRIES} times",
        why="it no longer knew an upload that it had begun",
        next="see the registry's log; several registries behind one name need one storage and one secret",
    )


def is_there(client: Client, digest: str) -> bool:
    """Return whether the registry has a blob."""
    return client.send("HEAD", f"blobs/{digest}", ok=(200, 404)).status == 200


def _session(client: Client, digest: str, size: int, content: Callable[[], Iterator[bytes]]) -> None:
    begun = client.send("POST", "blobs/uploads/", ok=(202,))
    location = _location(client, begun)
    chunk = _chunk_size(begun)
    body = b""
    if size <= chunk:
        body = b"".join(content())
    else:
        start = 0
        for piece in _pieces(content(), chunk):
            location = _send_chunk(client, location, start, piece)
            start += len(piece)
    _end(client, location, digest, body)


def _end(client: Client, location: str, digest: str, body: bytes) -> None:
    """End an upload with its last bytes; without retries, since a second end would find no upload."""
    joint = "&" if "?" in location else "?"
    url = f"{location}{joint}digest={quote(digest, safe='')}"
    try:
        client.send("PUT", url, headers={"Content-Type": _BYTES}, body=body, ok=(201,), tries=1)
    except RegistryError as error:
        if error.status == 404:
            raise _Gone from error
        if _may_pass(error):
            raise _Unconfirmed(error) from error
        raise


def _send_chunk(client: Client, location: str, start: int, piece: bytes) -> str:
    """Send one chunk, with retries of the bytes that have not arrived; return the next location."""
    done = 0
    for turn in range(1, TRIES + 1):
        try:
            answer = client.send(
                "PATCH",
                location,
                headers={
                    "Content-Type": _BYTES,
                    "Content-Range": f"{start + done}-{start + len(piece) - 1}",
                },
                body=piece[done:],
                ok=(202, 204),
                tries=1,
            )
            return _location(client, answer)
        except RegistryError as error:
            if error.status == 404:
                raise _Gone from error
            if (error.status != 416 and not _may_pass(error)) or turn == TRIES:
                raise
            client.retry.wait(turn, error.retry_after)
        location, have = _progress(client, location)
        done = have - start
        if done == len(piece):
            return location
        if not 0 <= done < len(piece):
            raise _Gone
    raise _Gone


def _progress(client: Client, location: str) -> tuple[str, int]:
    """Return how many bytes of an upload have arrived; raise _Gone when the registry does not report it."""
    try:
        answer = client.send("GET", location, ok=(200, 204))
    except RegistryError as error:
        if _may_pass(error):
            raise
        raise _Gone from error
    found = _RANGE.fullmatch(answer.headers.get("Range", "0-0"))
    if not found:
        raise _Gone
    # Registries answer "0-0" for nothing; after one single byte the digest would not match.
    last = int(found[1])
    return _location(client, answer, location), last + 1 if last else 0


def _pieces(content: Iterator[bytes], chunk: int) -> Iterator[bytes]:
    gathered = bytearray()
    for piece in content:
        gathered += piece
        while len(gathered) >= chunk:
            yield bytes(gathered[:chunk])
            del gathered[:chunk]
    if gathered:
        yield bytes(gathered)


def _chunk_size(begun: Answer) -> int:
    least = begun.headers.get("OCI-Chunk-Min-Length", "")
    wanted = int(least) if least.isascii() and least.isdigit() and len(least) < 12 else 0
    return min(max(CHUNK, wanted), _LARGEST_CHUNK)


def _location(client: Client, answer: Answer, known: str = "") -> str:
    named = answer.headers.get("Location", "") or known
    if not named:
        raise RegistryError(
            f"the registry {client.address.host} does not name an address for the upload",
            why=f"{answer.status} without Location",
            next="see the registry's log",
        )
    return client.resolve(answer.url, named)


def _may_pass(error: RegistryError) -> bool:
    return error.status == 0 or error.status in RETRIED
