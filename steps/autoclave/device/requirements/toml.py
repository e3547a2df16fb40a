"""Requirements as TOML: one `[[requirement]]` table each."""

from __future__ import annotations

import re

from msgspec import Struct

from autoclave.device.requirements import rows
from autoclave.model.declared import Requirement
from autoclave.runtime.toml import convert, parse_toml

_TABLE = re.compile(r"^\s*\[\[\s*requirement\s*\]\]", re.MULTILINE)


class _Row(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    id: str
    text: str
    kind: str = ""
    hazard: str = ""
    method: str = ""
    evidence: str = ""
    in_scope: bool = True


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    requirement: list[_Row] = []


def read(text: str, name: str) -> list[Requirement]:
    """Read a TOML file. Raises ConfigError naming file and line, or the table's number and key."""
    tables = convert(parse_toml(text, name), _File, source=name).requirement
    lines = [text.count("\n", 0, at.end()) + 1 for at in _TABLE.finditer(text)]
    # Written as an inline array, or with such a line inside of a text, tables have no line of their own.
    where = (
        lines if len(lines) == len(tables) else [f"requirement {number + 1}" for number in range(len(tables))]
    )
    return [_make_requirement(row, f"{name}:{at}") for row, at in zip(tables, where, strict=True)]


def _make_requirement(row: _Row, source: str) -> Requirement:
    words = {key: getattr(row, key) for key in ("id", "text", "kind", "hazard", "method", "evidence")}
    return rows.make_requirement({**words, "in-scope": "yes" if row.in_scope else "no"}, source)
