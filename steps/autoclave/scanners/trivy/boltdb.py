"""Read the buckets of a bolt file, the format of Trivy's database, without trusting it.

Trivy opens a truncated file and crashes in the middle of a scan, and scans without complaint with a
database that lists nothing. Both are found here first, from the heads of the file's pages. What is behind the
last page that is in use is not looked at: a file that was made longer has nothing more in it.

Layout (go.etcd.io/bbolt): pages of equal size; pages 0 and 1 are metas, the valid one with the higher
transaction id counts. A meta names the root page and the first page past the end. Little endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

_MAGIC = 0xED0CDAED
_HEADER = struct.Struct("<QHHI")  # page id, flags, count of elements, overflow pages
_META = struct.Struct(
    "<IIIIQQQQQQ"
)  # magic, version, page size, flags, root, sequence, freelist, end, txid, sum
_BRANCH_ELEMENT = struct.Struct("<IIQ")  # offset of the key, its size, page id
_LEAF_ELEMENT = struct.Struct("<IIII")  # flags, offset of the key, sizes of key and value
_BUCKET = struct.Struct("<QQ")  # root page (0: the page follows inline), sequence
_BRANCH, _LEAF, _IS_BUCKET = 1, 2, 1
_DEEPEST = 32
_LARGEST_PAGE = 64 * 1024 * 1024


class DamagedFile(Exception):
    """The file is not a whole bolt file; the message says in what way."""


def read_buckets(path: Path, *, enough: int = 1) -> Iterator[tuple[str, int]]:
    """Yield each top-level bucket: its name and how many elements it has, not counted beyond `enough`.

    Raises DamagedFile for one that is empty, foreign, cut off or inconsistent, OSError if unreadable.
    """
    with path.open("rb") as file:
        try:
            yield from _File(file, path.stat().st_size, enough).buckets()
        except (struct.error, IndexError, OverflowError) as error:
            raise DamagedFile("a page refers to something outside of it") from error


def read_values(path: Path, bucket: str, first: str, last: str, *, most: int) -> Iterator[bytes]:
    """Yield the values of a top-level bucket whose keys are between two, in order, at most so many.

    Raises DamagedFile as `read_buckets` does; a bucket that does not exist has no values.
    """
    with path.open("rb") as file:
        try:
            found = _File(file, path.stat().st_size, 1)
            yield from islice(found.values(bucket.encode(), first.encode(), last.encode()), most)
        except (struct.error, IndexError, OverflowError) as error:
            raise DamagedFile("a page refers to something outside of it") from error


class _File:
    def __init__(self, file: BinaryIO, size: int, enough: int) -> None:
        self._file = file
        self._enough = enough
        self._seen: set[int] = set()
        self._page_size, self._root, self._end = self._meta(size)
        if self._end * self._page_size > size:
            raise DamagedFile(f"cut off: it has {size} of {self._end * self._page_size} bytes")

    def _meta(self, size: int) -> tuple[int, int, int]:
        if not size:
            raise DamagedFile("the file is empty")
        first = self._file.read(_HEADER.size + _META.size)
        if len(first) < _HEADER.size + _META.size or _META.unpack_from(first, _HEADER.size)[0] != _MAGIC:
            raise DamagedFile("not a bolt file")
        page_size = _META.unpack_from(first, _HEADER.size)[2]
        self._file.seek(page_size)
        second = self._file.read(_HEADER.size + _META.size)
        metas = [_META.unpack_from(raw, _HEADER.size) for raw in (first, second) if _is_meta(raw)]
        if not metas or page_size < _HEADER.size + _META.size:
            raise DamagedFile("neither of its two headers is whole")
        newest = max(metas, key=lambda meta: meta[8])
        return page_size, newest[4], newest[7]

    def buckets(self) -> Iterator[tuple[str, int]]:
        yield from self._walk(self._root, _DEEPEST)

    def values(self, bucket: bytes, first: bytes, last: bytes) -> Iterator[bytes]:
        """Yield the values of a bucket, from the first key on and before the last."""
        for page in self._find(self._root, _DEEPEST, bucket, bucket + b"\0"):
            yield from self._find(page, _DEEPEST, first, last) if isinstance(page, int) else ()

    def _find(self, page_id: int, deeper: int, first: bytes, last: bytes) -> Iterator[Any]:
        """Yield what is below a page under the keys of a range: the root page of a bucket, else a value."""
        self._head(page_id)
        page, flags, count = self._page(page_id)
        if not deeper or flags not in (_BRANCH, _LEAF):
            raise DamagedFile(f"page {page_id} is not a part of a bucket")
        starts = range(_HEADER.size, _HEADER.size + 16 * count, 16)
        if flags == _LEAF:
            for start in starts:
                kind, offset, key_size, value_size = _LEAF_ELEMENT.unpack_from(page, start)
                value = start + offset + key_size
                if first <= page[start + offset : value] < last:
                    is_bucket = kind & _IS_BUCKET
                    yield (
                        _BUCKET.unpack_from(page, value)[0] if is_bucket else page[value : value + value_size]
                    )
            return
        branches = [_BRANCH_ELEMENT.unpack_from(page, start) for start in starts]
        keys = [
            page[start + at : start + at + size]
            for start, (at, size, _) in zip(starts, branches, strict=True)
        ]
        for number, (_, _, child) in enumerate(branches):
            ends = keys[number + 1] if number + 1 < len(keys) else None
            if keys[number] < last and (ends is None or ends > first):
                yield from self._find(child, deeper - 1, first, last)

    def _walk(self, page_id: int, deeper: int) -> Iterator[tuple[str, int]]:
        self._head(page_id)
        page, flags, count = self._page(page_id)
        if not deeper or flags not in (_BRANCH, _LEAF):
            raise DamagedFile(f"page {page_id} is not a list of buckets")
        for start in range(_HEADER.size, _HEADER.size + 16 * count, 16):
            if flags == _BRANCH:
                yield from self._walk(_BRANCH_ELEMENT.unpack_from(page, start)[2], deeper - 1)
            else:
                yield from self._bucket(page, start)

    def _bucket(self, page: bytes, start: int) -> Iterator[tuple[str, int]]:
        kind, offset, key_size, value_size = _LEAF_ELEMENT.unpack_from(page, start)
        if not kind & _IS_BUCKET:
            return
        value = start + offset + key_size
        name = page[start + offset : value].decode("utf-8", "replace")
        root = _BUCKET.unpack_from(page, value)[0]
        if root:
            yield name, self._count(root, _DEEPEST, 0)
        elif value_size >= _BUCKET.size + _HEADER.size:
            yield name, _HEADER.unpack_from(page, value + _BUCKET.size)[2]

    def _count(self, page_id: int, deeper: int, found: int) -> int:
        """Return how many elements were found, with those below a page; stop when there are enough."""
        flags, count = self._head(page_id)
        if flags == _LEAF:
            return found + count
        if not deeper or flags != _BRANCH:
            raise DamagedFile(f"page {page_id} is not a part of a bucket")
        page = self._page(page_id)[0]
        for start in range(_HEADER.size, _HEADER.size + 16 * count, 16):
            if found >= self._enough:
                break
            found = self._count(_BRANCH_ELEMENT.unpack_from(page, start)[2], deeper - 1, found)
        return found

    def _head(self, page_id: int) -> tuple[int, int]:
        """Return the flags and the count of elements of a page, which belongs to one bucket alone."""
        if page_id >= self._end:
            raise DamagedFile(f"page {page_id} is past its end")
        if page_id in self._seen:
            raise DamagedFile(f"page {page_id} is in two places")
        self._seen.add(page_id)
        self._file.seek(page_id * self._page_size)
        stated, flags, count, _ = _HEADER.unpack_from(self._file.read(_HEADER.size))
        if stated != page_id:
            raise DamagedFile(f"page {page_id} calls itself page {stated}")
        if flags == _LEAF and count * _LEAF_ELEMENT.size > _LARGEST_PAGE:
            raise DamagedFile(f"page {page_id} claims an impossible size")
        return flags, count

    def _page(self, page_id: int) -> tuple[bytes, int, int]:
        if page_id >= self._end:
            raise DamagedFile(f"page {page_id} is past its end")
        self._file.seek(page_id * self._page_size)
        page = self._file.read(self._page_size)
        _, flags, count, overflow = _HEADER.unpack_from(page)
        if overflow * self._page_size > _LARGEST_PAGE:
            raise DamagedFile(f"page {page_id} claims an impossible size")
        return page + self._file.read(overflow * self._page_size), flags, count


def _is_meta(raw: bytes) -> bool:
    if len(raw) < _HEADER.size + _META.size:
        return False
    fields = _META.unpack_from(raw, _HEADER.size)
    checksum: int = fields[9]
    return bool(fields[0] == _MAGIC) and checksum == _fnv1a(raw[_HEADER.size : _HEADER.size + _META.size - 8])


def _fnv1a(raw: bytes) -> int:
    total = 0xCBF29CE484222325
    for byte in raw:
        total = ((total ^ byte) * 0x100000001B3) % 2**64
    return total
