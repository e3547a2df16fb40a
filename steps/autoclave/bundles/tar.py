"""A tar archive whose bytes depend on names and content alone (POSIX.1-2017, ustar), written and read.

There is one header for a name and a size, so what is read is compared with what would have been written: it
has no other kind of member, no other mode, owner or time, no extended header, and nothing after its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO

from autoclave.errors import StoreError

_BLOCK = 512
_OCTAL = 1 << 33  # what eleven octal digits hold


def header(name: str, size: int) -> bytes:
    """Return the only header that a bundle's member of this name and size can have."""
    length = b"%011o\0" % size if size < _OCTAL else b"\x80" + size.to_bytes(11, "big")
    fields = [
        name.encode("ascii").ljust(100, b"\0"),
        b"0000644\0" + 2 * b"0000000\0",  # mode, owner, group
        length,
        b"00000000000\0",  # time
        b" " * 8,  # the checksum counts as blanks
        b"0".ljust(101, b"\0"),  # a plain file, no link
        b"ustar\0" + b"00" + bytes(64) + 2 * b"0000000\0",
    ]
    raw = b"".join(fields).ljust(_BLOCK, b"\0")
    return raw[:148] + b"%06o\0 " % sum(raw) + raw[156:]


def write(file: IO[bytes], name: str, size: int, content: Iterable[bytes]) -> None:
    """Write one member. Raises StoreError when the content has another size."""
    file.write(header(name, size))
    written = 0
    for piece in content:
        written += len(piece)
        file.write(piece)
    if written != size:
        raise StoreError(f"{name} has {written} bytes, and {size} were announced", next="repair the store")
    file.write(bytes(-size % _BLOCK))


def end(file: IO[bytes]) -> None:
    """Write the end of the archive."""
    file.write(bytes(2 * _BLOCK))


def members(chunks: Iterable[bytes]) -> Iterator[tuple[str, int, Iterator[bytes]]]:
    """Yield name, size and content of each member; content that was not consumed is skipped.

    Raises StoreError for every byte that `write` and `end` would not have written.
    """
    source = _Source(chunks)
    while any(raw := source.read(_BLOCK)):
        name, size = _parse(raw)
        content = source.content(size)
        yield name, size, content
        for _ in content:
            pass
        if any(source.read(-size % _BLOCK)):
            raise _make_error(f"there is data between {name!r} and what follows it")
    if any(source.read(_BLOCK)) or not source.is_at_end():
        raise _make_error("there is data after its end")


def _parse(raw: bytes) -> tuple[str, int]:
    name, length = raw[:100].rstrip(b"\0"), raw[124:136]
    try:
        size = int.from_bytes(length[1:], "big") if length[0] == 0x80 else int(length[:11], 8)
        if header(name.decode("ascii"), size) == raw:
            return name.decode("ascii"), size
    except (ValueError, OverflowError):
        pass
    raise _make_error(f"{name.decode('ascii', 'replace')!r} is not a plain file as a bundle has them")


class _Source:
    """Bytes of the archive, read from its chunks."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._left = memoryview(b"")

    def read(self, size: int) -> bytes:
        return b"".join(self.content(size))

    def content(self, size: int) -> Iterator[bytes]:
        while size:
            if self.is_at_end():
                raise _make_error("it is truncated")
            piece, self._left = self._left[:size], self._left[size:]
            size -= len(piece)
            yield bytes(piece)

    def is_at_end(self) -> bool:
        while not self._left:
            try:
                self._left = memoryview(next(self._chunks))
            except StopIteration:
                return True
        return False


def _make_error(why: str) -> StoreError:
    return StoreError("the archive is refused", why=why, next="fetch it again from where it was made")
