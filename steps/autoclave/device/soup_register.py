"""The SOUP register of a device repository: a TOML file with one `[[soup]]` table for each entry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct, structs

from autoclave.device.schema import FILE, resolve_inside
from autoclave.errors import SourceError
from autoclave.model.declared import SoupEntry
from autoclave.model.text import Line
from autoclave.runtime.folder import Folder
from autoclave.runtime.toml import convert, parse_toml, read_toml

_LARGEST = 16 << 20  # bytes, as of every TOML file
Short = Annotated[str, Meta(max_length=1000)]


class _Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    title: Annotated[Line, Meta(max_length=200)]
    component: Annotated[Line, Meta(max_length=500)]
    version: Annotated[Line, Meta(max_length=200)]
    manufacturer: Short
    why: Short
    support_end: date | None = None
    support_level: Short = ""
    anomalies: Short = ""
    reviewed_by: Short = ""
    reviewed_on: date | None = None


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    # A file without entries is a beginning: each component lacks one then.
    soup: Annotated[list[_Entry], Meta(max_length=100_000)] = []


def read(folder: Path, name: str) -> tuple[SoupEntry, ...]:
    """Read the register. Raises ConfigError, SourceError for no file or a path that leaves the repository."""
    path = resolve_inside(folder, name)
    if not path.is_file():  # nor a pipe, which would be waited for
        raise SourceError(f"'{name}' is not a file", next=f"fix device.soup in {FILE}")
    return _entries(read_toml(path), name)


def append(folder: Path, name: str, change: Callable[[str], str]) -> Path:
    """Replace the register by what `change` makes of its text, whole or not at all; return its path.

    It is made when it is missing. Raises ConfigError, SourceError, and leaves it as it was, when what is
    there or what it would become cannot be read as a register.
    """
    path = resolve_inside(folder, name)
    place = Folder(folder)
    before = ""
    if place.kind(name) is not None:
        read(folder, name)
        before = place.read(name, limit=_LARGEST).decode("utf-8")
    text = change(before)
    _entries(parse_toml(text, name), name)
    return place.write(name, [text.encode()], durable=True) if text != before else path


def _entries(data: dict[str, Any], name: str) -> tuple[SoupEntry, ...]:
    listed = convert(data, _File, source=name).soup
    return tuple(SoupEntry(**structs.asdict(each)) for each in listed)
