"""Read a tar archive as a stream, in constant memory, and refuse what no engine writes.

Python's own reader ends at a damaged header in the middle of the archive; here that is an error.
Source: POSIX.1-2017 pax (ustar and extended headers), GNU tar manual (base-256 numbers, long names).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import PurePosixPath

from msgspec import Struct

from autoclave.errors import StoreError

_BLOCK = 512
_HEADER_LIMIT = 64 * 1024
_MEMBERS = 4096
"""An image has at most 127 layers, each with three or four members in the oldest form."""


class Kind(Enum):
    """The kind of a member."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"


class Member(Struct, frozen=True):
    """A member's normalised name, kind and size in bytes."""

    name: str
    kind: Kind
    size: int


_KINDS = {b"0": Kind.FILE, b"\0": Kind.FILE, b"5": Kind.FOLDER, b"1": Kind.LINK, b"2": Kind.LINK}
_EXTENSIONS = {b"x", b"g", b"L", b"K"}


def members(chunks: Iterable[bytes], *, most: int = _MEMBERS) -> Iterator[tuple[Member, Iterator[bytes]]]:
    """Yield every member with its content; content that was not consumed is skipped.

    Raises StoreError for a truncated or damaged archive, absolute names, names or links that leave the
    archive, duplicate names, devices, sparse files, oversized headers and more than `most` members.
    """
    source = _Source(chunks)
    seen: set[str] = set()
    extension: dict[str, str] = {}
    for _ in range(most + 1):
        header = source.read_exactly(_BLOCK)
        if not any(header):
            source.finish()
            return
        _check_sum(header)
        kind, size = header[156:157], _number(header[124:136])
        if kind in _EXTENSIONS:
            extension |= _extension(kind, source.read_padded(size))
            continue
        member = _member(header, extension, size)
        extension = {}
        if member.name in seen and member.kind is not Kind.FOLDER:
            raise _make_error(f"{member.name!r} comes twice")
        seen.add(member.name)
        content = source.content(member.size)
        yield member, content
        for _ in content:
            pass
        source.read_exactly(-member.size % _BLOCK)
    raise _make_error(f"it has more than {most} members")


class _Source:
    """Bytes of the archive, read from its chunks."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._left = memoryview(b"")

    def read_exactly(self, size: int) -> bytes:
        return b"".join(self.content(size))

    def read_padded(self, size: int) -> bytes:
        if size > _HEADER_LIMIT:
            raise _make_error(f"an extended header has {size} bytes")
        return self.read_exactly(size + -size % _BLOCK)[:size]

    def content(self, size: int) -> Iterator[bytes]:
        while size:
            if not self._left:
                self._next()
            piece, self._left = self._left[:size], self._left[size:]
            size -= len(piece)
            yield bytes(piece)

    def finish(self) -> None:
        """Consume the rest, which must be zeros: a second archive after the end would not be read."""
        rest = bytes(self._left)
        while not any(rest):
            try:
                rest = next(self._chunks)
            except StopIteration:
                return
        raise _make_error("there is data after its end")

    def _next(self) -> None:
        while not self._left:
            try:
                self._left = memoryview(next(self._chunks))
            except StopIteration:
                raise _make_error("it is truncated") from None


def _member(header: bytes, extension: dict[str, str], size: int) -> Member:
    kind = _KINDS.get(header[156:157])
    if kind is None or any(key.startswith("GNU.sparse") for key in extension):
        raise _make_error(
            f"a member of type {header[156:157]!r} (device, sparse file …) is not part of an image"
        )
    name = _safe(extension.get("path") or _ustar_name(header))
    if kind is Kind.LINK:
        target = extension.get("linkpath") or _text(header[157:257])
        symbolic = header[156:157] == b"2"
        _safe(f"{PurePosixPath(name).parent}/{target}" if symbolic and not target.startswith("/") else target)
    if "size" in extension:
        size = _decimal(extension["size"])
    return Member(name, kind, size if kind is Kind.FILE else 0)


def _extension(kind: bytes, raw: bytes) -> dict[str, str]:
    if kind == b"L":
        return {"path": _text(raw)}
    if kind == b"K":
        return {"linkpath": _text(raw)}
    records = _pax(raw)
    if kind == b"g" and records.keys() & {"path", "linkpath", "size"}:
        raise _make_error("a global header names a member")
    return records if kind == b"x" else {}


def _pax(raw: bytes) -> dict[str, str]:
    records: dict[str, str] = {}
    while raw:
        length_text, space, _ = raw.partition(b" ")
        length = _decimal(_text(length_text))
        record, raw = raw[:length], raw[length:]
        key, equals, value = record[len(length_text) + 1 :].partition(b"=")
        if not space or not equals or len(record) != length or not value.endswith(b"\n"):
            raise _make_error("an extended header is malformed")
        # Attributes such as SCHILY.xattr.* may be binary, and are not needed.
        if key in {b"path", b"linkpath", b"size"} or key.startswith(b"GNU.sparse"):
            records[_text(key)] = _text(value[:-1])
    return records


def _safe(name: str) -> str:
    """Return the name without `.` parts and doubled slashes; raise StoreError when it leaves the archive."""
    parts: list[str] = []
    for part in name.split("/"):
        if part == ".." and not parts:
            raise _make_error(f"{name[:200]!r} leaves the archive")
        if part == "..":
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    if name.startswith("/") or not name or "\0" in name:
        raise _make_error(f"{name[:200]!r} is not a relative name")
    return "/".join(parts)


def _ustar_name(header: bytes) -> str:
    name, prefix = _text(header[:100]), _text(header[345:500])
    # Only POSIX ustar has a prefix; the old GNU form has times there.
    return f"{prefix}/{name}" if prefix and header[257:263] == b"ustar\0" else name


def _text(field: bytes) -> str:
    try:
        return field.split(b"\0", 1)[0].decode()
    except UnicodeDecodeError as error:
        raise _make_error("a name is not UTF-8") from error


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=False) & ((1 << (8 * len(field) - 1)) - 1)
        if value >= 1 << 62:
            raise _make_error("a size is out of range")
        return value
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError as error:
        raise _make_error("a header is damaged") from error


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise _make_error("an extended header is malformed")
    return int(text)


def _check_sum(header: bytes) -> None:
    if sum(header[:148]) + sum(header[156:]) + 8 * ord(" ") != _number(header[148:156]):
        raise _make_error("a header is damaged")


def _make_error(why: str) -> StoreError:
    return StoreError(
        "the image archive is refused",
        why=why,
        next="repeat the build; if it happens again, check the engine and the connection to it",
    )
