"""Uploads and downloads against registries with manners of their own, played here without a socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from autoclave.errors import StoreError
from autoclave.runtime.retry import Retry
from autoclave.store.registry import upload as uploading
from autoclave.store.registry.address import Address
from autoclave.store.registry.download import download
from autoclave.store.registry.errors import RegistryError
from autoclave.store.registry.http import Broken

CONTENT = b"0123456789abcdefghij"


class Reply:
    def __init__(self, status: int = 200, *pieces: bytes | Broken, **headers: str) -> None:
        self.status = status
        self.pieces = pieces
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.url = "https://h/v2/a/x"
        self.is_closed = False

    def chunks(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Broken):
                raise piece
            yield piece

    def close(self) -> None:
        self.is_closed = True


class Registry:
    """A client of a registry that takes uploads; `lose` bytes of a chunk arrive when it is refused."""

    address = Address("https", "h", "a")

    def __init__(self, least: str = "", faults: dict[int, tuple[int, int]] | None = None) -> None:
        self.retry = Retry(lambda _: None)
        self.least, self.faults = least, faults or {}
        self.have = b""
        self.chunks: list[bytes] = []
        self.sessions = 0

    def resolve(self, base: str, location: str) -> str:
        return location

    def send(self, method: str, target: str, *, body: bytes = b"", **_: object) -> Reply:
        if method == "POST":
            self.sessions += 1
            self.have = b""
            more = {"OCI_Chunk_Min_Length": self.least} if self.least else {}
            return Reply(202, Location="/1", **more)
        if method == "GET":
            if not self.have:
                return Reply(204, Location="/1", Range="0-0")
            return Reply(204, Location="/1", Range=f"0-{len(self.have) - 1}")
        if method == "PATCH":
            self.chunks.append(body)
            status, arrived = self.faults.pop(len(self.chunks), (202, len(body)))
            self.have += body[:arrived]
            if status != 202:
                error = RegistryError("no")
                error.status = status
                raise error
            return Reply(202, Location="/1")
        assert method == "PUT"
        assert "digest=sha256%3A" in target
        self.have += body
        return Reply(201)


def upload(registry: Any) -> None:
    uploading.upload(registry, "sha256:" + "0" * 64, len(CONTENT), lambda: iter([CONTENT[:3], CONTENT[3:]]))
    assert registry.have == CONTENT


@pytest.mark.parametrize(
    ("least", "sizes"),
    [("", [8, 8, 4]), ("10", [10, 10]), ("3", [8, 8, 4]), ("20", []), ("junk", [8, 8, 4]), ("-9", [8, 8, 4])],
)
def test_chunks_are_as_long_as_the_registry_wants(
    least: str, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "CHUNK", 8)
    registry = Registry(least)
    upload(registry)
    assert [len(chunk) for chunk in registry.chunks] == sizes


@pytest.mark.parametrize(
    ("fault", "sizes", "sessions"),
    [
        ((503, 0), [8, 8, 8, 4], 1),  # nothing arrived: the same again
        ((0, 5), [8, 8, 3, 4], 1),  # some arrived: the rest
        ((416, 8), [8, 8, 4], 1),  # all arrived: not again
        ((404, 0), [8, 8, 8, 8, 4], 2),  # forgotten: from the start
    ],
)
def test_a_failed_chunk_resumes_at_the_registrys_offset(
    fault: tuple[int, int], sizes: list[int], sessions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "CHUNK", 8)
    registry = Registry(faults={2: fault})
    upload(registry)
    assert [len(chunk) for chunk in registry.chunks] == sizes
    assert registry.sessions == sessions


def test_a_chunk_that_is_refused_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "CHUNK", 8)
    registry = Registry(faults={1: (413, 0)})
    with pytest.raises(RegistryError):
        upload(registry)
    assert len(registry.chunks) == 1


class Source:
    """A client whose registry gives these answers, one after the other."""

    address = Address("https", "h", "a")

    def __init__(self, *replies: Reply) -> None:
        self.retry = Retry(lambda _: None)
        self.replies = list(replies)
        self.ranges: list[str] = []

    def absolute(self, target: str) -> str:
        return f"https://h/{target}"

    def open(self, target: str, *, headers: dict[str, str], ok: object) -> Reply:
        self.ranges.append(headers.get("Range", ""))
        return self.replies.pop(0)


def fetch(*replies: Reply, limit: int | None = None) -> tuple[bytes, list[str]]:
    client: Any = Source(*replies)
    pieces = download(client, "blobs/x", headers={}, limit=limit)
    assert pieces is not None
    return b"".join(pieces), client.ranges


CUT = Broken("cut")


@pytest.mark.parametrize(
    "replies",
    [
        [Reply(200, b"0123", CUT), Reply(206, b"456789", Content_Range="bytes 4-9/10")],
        [Reply(200, b"0123", CUT), Reply(200, b"01", b"23456789")],
        [Reply(200, b"0123", CUT), Reply(200, b"01", CUT), Reply(200, b"0123456789")],
    ],
)
def test_a_broken_download_is_resumed(replies: list[Reply]) -> None:
    content, ranges = fetch(*replies)
    assert content == b"0123456789"
    assert set(ranges[1:]) == {"bytes=4-"}


def test_a_connection_that_breaks_after_the_last_byte_loses_nothing() -> None:
    assert fetch(Reply(200, b"0123", CUT, Content_Length="4")) == (b"0123", [""])


def test_a_download_resumed_at_another_offset_is_refused() -> None:
    with pytest.raises(RegistryError, match="does not answer") as caught:
        fetch(Reply(200, b"0123", CUT), Reply(206, b"6789", Content_Range="bytes 6-9/10"))
    assert "another offset" in caught.value.why


def test_a_download_that_makes_too_little_progress_is_an_error() -> None:
    replies = [Reply(200, b"0", CUT)]
    replies += [Reply(206, b"1", CUT, Content_Range=f"bytes {number}-") for number in range(1, 9)]
    with pytest.raises(RegistryError, match="does not answer"):
        fetch(*replies)
    assert replies


def test_more_than_the_limit_is_not_fetched() -> None:
    announced = Reply(200, b"01234", Content_Length="5")
    with pytest.raises(StoreError, match="too large"):
        fetch(announced, limit=4)
    assert announced.is_closed
    with pytest.raises(StoreError, match="too large"):
        fetch(Reply(200, b"012", b"34"), limit=4)
    assert fetch(Reply(200, b"01234"), limit=5)[0] == b"01234"
