"""Tar archives of files, as engines write layers and copy out of containers: read as a stream, with bounds.

Python's own reader takes a damaged header for the end, reads headers of any size, and writes out the holes of
sparse files, which engines do not write. Source: POSIX.1-2017 pax, GNU tar manual (sparse formats); Go,
archive/tar (`maxSpecialFileSize`; its Writer has no sparse files).
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Self, cast

CHUNK = 1 << 18
_PIECE = 1 << 14  # bytes that are unpacked at once: what is behind a gzip member's end is copied for each
GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_LARGEST_HEADER = 1 << 20  # bytes of a long name or of extended attributes
_LARGEST = 64 << 30  # bytes of an archive, unpacked
_LONGEST = 4096  # characters of a path, as in Linux (PATH_MAX)
_MOST = 1_000_000  # members
_MOST_GLOBAL = 100  # fields that apply to all members
_EXTENSIONS = {
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
}


class DamagedTar(Exception):
    """An archive that cannot be read, or exceeds a bound; the text says why."""


class Hashed:
    """Chunks, with the digest and the size of those that were read."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._sha256 = hashlib.sha256()
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        self._sha256.update(chunk)
        self.size += len(chunk)
        return chunk

    @property
    def digest(self) -> str:
        """The digest of what was read."""
        return f"sha256:{self._sha256.hexdigest()}"


class Members:
    """The members of an archive, each with its content, which is there while it is the current one.

    Iterating and reading raise DamagedTar. All zeros must follow the last member: another reader could find a
    second archive there.
    """

    def __init__(self, chunks: Iterable[bytes], *, most: int = _MOST) -> None:
        self._source = Hashed(_limit(chunks))
        self._most = most

    @property
    def digest(self) -> str:
        """The digest of the archive, after the last member."""
        return self._source.digest

    def __iter__(self) -> Iterator[tuple[tarfile.TarInfo, Iterator[bytes]]]:
        with (
            _translate_errors(),
            tarfile.open(fileobj=_Stream(self._source), mode="r|", tarinfo=_Header, bufsize=CHUNK) as tar,
        ):
            count = 0
            while member := tar.next():
                tar.members.clear()  # type: ignore[attr-defined]  # it would keep them all
                count += 1
                if count > self._most:
                    raise DamagedTar(f"it has more than {self._most:,} members")
                if len(tar.pax_headers) > _MOST_GLOBAL:
                    raise DamagedTar(f"its global headers have more than {_MOST_GLOBAL} fields")
                yield member, _content(tar, member)
            _refuse_more(tar)


def normalise(name: str) -> str:
    """Return a member's path without `.` and doubled slashes. Raises DamagedTar when it leaves the root."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    path = "/".join(parts)
    if ".." in parts:
        raise DamagedTar(f"it names {name[:200]!r}, which leaves it")
    if len(path) > _LONGEST:
        raise DamagedTar(f"a path of {len(path):,} characters is in it")
    return path


def decompress(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack what is compressed with gzip, and pass on what is not. Raises DamagedTar.

    The end has no bound of its own: `Members` has, or who reads counts.
    """
    source = filter(None, chunks)
    head = b""
    while len(head) < len(_ZSTD) and (chunk := next(source, b"")):
        head += chunk
    if head[:4] == _ZSTD:
        raise DamagedTar("it is compressed with zstd, which cannot be read here")
    whole = chain(head, source)
    if head[:2] != GZIP:
        yield from whole
        return
    inflater = zlib.decompressobj(wbits=31)
    with _translate_errors():
        for chunk in whole:
            for at in range(0, len(chunk), _PIECE):
                left = chunk[at : at + _PIECE]
                while left:
                    if inflater.eof:
                        left = left.lstrip(b"\0")  # padding, as gzip itself has it
                        if not left:
                            break
                        inflater = zlib.decompressobj(wbits=31)
                    if unpacked := inflater.decompress(left, CHUNK * 16):
                        yield unpacked
                    left = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        if not inflater.eof:
            raise DamagedTar("it is truncated")


def chain(head: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a beginning that was read already, and the rest."""
    if head:
        yield head
    yield from rest


class _Stream(io.RawIOBase):
    """Chunks as a file for tarfile."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._source = filter(None, chunks)  # an empty chunk is no end
        self._left = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            if not self._left:
                self._left = memoryview(next(self._source, b""))
                if not self._left:
                    break
            piece, self._left = self._left[:size], self._left[size:]
            size -= len(piece)
            parts.append(bytes(piece))
        return b"".join(parts)


class _Header(tarfile.TarInfo):
    """A header; a damaged one is an error, where tarfile alone would take it for the end."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tar)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise DamagedTar(f"a damaged header: {error}") from error

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:  # which is there to be overridden
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise _SPARSE
        if self.type in _EXTENSIONS and not 0 <= self.size <= _LARGEST_HEADER:
            raise DamagedTar(f"an extended header has {self.size:,} bytes")
        found: tarfile.TarInfo = super()._proc_member(tar)  # type: ignore[misc]
        if found.size < 0:
            raise DamagedTar(f"a member has the size {found.size:,}")
        return found

    def _refuse_sparse(self, *_: object) -> None:
        raise _SPARSE

    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_sparse


_SPARSE = DamagedTar("a sparse file is in it, which no engine writes: its holes can have any size")


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    with _translate_errors():
        source = tar.extractfile(member) if member.isreg() else None
        while source and (chunk := source.read(CHUNK)):
            yield chunk


def _limit(chunks: Iterable[bytes]) -> Iterator[bytes]:
    left = _LARGEST
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise DamagedTar(f"it has more than {_LARGEST:,} bytes")
        yield chunk


def _refuse_more(tar: tarfile.TarFile) -> None:
    while rest := cast(IO[bytes], tar.fileobj).read(CHUNK):
        if any(rest):
            raise DamagedTar("there is data after its end")


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, ValueError, IndexError, OverflowError, RecursionError, zlib.error) as error:
        raise DamagedTar(str(error) or type(error).__name__) from error
