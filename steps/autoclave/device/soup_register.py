"""The SOUP register of a device repository: a TOML file with one `[[soup]]` table for each entry."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct, structs

from autoclave.device.schema import FILE, resolve_inside
from autoclave.errors import SourceError
from autoclave.model.declared import SoupEntry
from autoclave.model.text import Line
from autoclave.runtime.toml import convert, read_toml

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
    soup: Annotated[list[_Entry], Meta(max_length=100_000)]


def read(folder: Path, name: str) -> tuple[SoupEntry, ...]:
    """Read the register. Raises ConfigError, SourceError for no file or a path that leaves the repository."""
    path = resolve_inside(folder, name)
    if not path.is_file():  # nor a pipe, which would be waited for
        raise SourceError(f"'{name}' is not a file", next=f"fix device.soup in {FILE}")
    listed = convert(read_toml(path), _File, source=name).soup
    return tuple(SoupEntry(**structs.asdict(each)) for each in listed)
