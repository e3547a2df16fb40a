"""Write a tar archive whose bytes depend on names and content alone (POSIX.1-2017, ustar)."""

from __future__ import annotations

from collections.abc import Iterable
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
