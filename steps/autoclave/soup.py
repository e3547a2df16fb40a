"""The SOUP register of a device repository: a TOML file with one `[[soup]]` table for each entry."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct, structs

from autoclave.config import convert, read_toml
from autoclave.device import inside
from autoclave.gates.soup import Match, identity
from autoclave.governed import SoupEntry

Short = Annotated[str, Meta(max_length=1000)]
_SIMPLE = re.compile(r"[^\x00-\x1f\x7f\"\\]*")


class _Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    component: Annotated[str, Meta(min_length=1, max_length=500)]
    version: Annotated[str, Meta(min_length=1, max_length=200)]
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
    """Read the register. Raises ConfigError, SourceError for a path that leaves the repository."""
    path = inside(folder, name)
    listed = convert(read_toml(path), _File, source=name).soup
    return tuple(SoupEntry(**structs.asdict(each)) for each in listed)


def beginning(lacking: Sequence[Match]) -> str:
    """Return TOML for the components that lack an entry, for people to complete.

    The packages of a distribution become one entry. `why` and the review stay empty: nobody but a person
    can tell, and the gate stays closed until they are filled in.
    """
    entries: dict[tuple[str, str], str] = {}
    for each in lacking:
        component = each.component
        name = identity(component)
        kind = "/".join(name.split("/")[:2])
        if component.distro and name.startswith("pkg:"):
            key, title = (f"{kind}/*", f"{component.distro}*"), component.distro
        else:
            key, title = (name, component.version or "*"), component.name
        if key not in entries:
            entries[key] = _table(title, *key, "" if component.distro else component.supplier)
    return "\n".join(entries.values())


def _table(title: str, component: str, version: str, manufacturer: str) -> str:
    fields = {
        "title": title,
        "component": component,
        "version": version,
        "manufacturer": manufacturer,
        "why": "",
        "anomalies": "",
        "reviewed-by": "",
    }
    lines = [f"{key} = {_quoted(value)}" for key, value in fields.items()]
    return "\n".join(["[[soup]]", *lines, "# reviewed-on = 2026-01-31", "# support-end = 2028-06-30", ""])


def _quoted(text: str) -> str:
    """Return text as a TOML string; names out of an image may hold anything."""
    if _SIMPLE.fullmatch(text):
        return f'"{text}"'
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08X}" for c in text) + '"'
