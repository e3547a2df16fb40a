"""Download from a registry as a stream that continues where it broke off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autoclave.errors import StoreError
from autoclave.runtime.retry import TRIES
from autoclave.store.registry.client import Client
from autoclave.store.registry.errors import explain_silence
from autoclave.store.registry.http import Answer, Broken

_HEADWAY = 16 * 1024 * 1024


def download(
    client: Client, target: str, *, headers: Mapping[str, str], limit: int | None
) -> Iterator[bytes] | None:
    """Stream something of the repository, or return None when it is missing.

    Raises StoreError at once when the registry announces more than `limit` bytes, or when more come. The
    caller compares the digest: nothing else proves that the content is complete and correct.
    """
    answer = client.open(target, headers=headers, ok=(200, 404))
    if answer.status == 404:
        answer.close()
        return None
    size = _length(answer)
    if limit is not None and size is not None and size > limit:
        answer.close()
        raise _too_large(target, limit)
    return _limit(_stream(client, target, headers, answer, size), target, limit)


def _stream(
    client: Client, target: str, headers: Mapping[str, str], answer: Answer, size: int | None
) -> Iterator[bytes]:
    done, skip, broken = 0, 0, 0
    while True:
        start = done
        try:
            for piece in answer.chunks():
                fresh = piece[skip:]
                skip -= len(piece) - len(fresh)
                done += len(fresh)
                if fresh:
                    yield fresh
        except Broken as error:
            if done == size:
                return
            # A download that makes progress may break off any number of times; one that does not fails.
            broken = 1 if done - start >= _HEADWAY else broken + 1
            if broken >= TRIES:
                raise explain_silence(client.absolute(target), error) from error
            client.retry.wait(broken)
        else:
            return
        answer = client.open(target, headers={**headers, "Range": f"bytes={done}-"}, ok=(200, 206))
        skip = done if answer.status == 200 else 0
        if answer.status == 206 and not answer.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
            answer.close()
            raise explain_silence(answer.url, Broken("it continues at another offset than requested"))


def _limit(pieces: Iterator[bytes], target: str, limit: int | None) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if limit is not None and size > limit:
            raise _too_large(target, limit)
        yield piece


def _length(answer: Answer) -> int | None:
    text = answer.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _too_large(target: str, limit: int) -> StoreError:
    return StoreError(
        f"{target.rpartition('/')[2]} is too large",
        why=f"the registry has more than {limit} bytes of it, the most that is allowed here",
        next="check that the digest names a record or manifest, not a layer",
    )
