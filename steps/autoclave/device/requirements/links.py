"""Which tests verify which requirements, for tests that cannot name them: patterns of test names."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from autoclave.device.requirements import rows
from autoclave.device.schema import resolve_inside
from autoclave.errors import ConfigError
from autoclave.model.text import Line
from autoclave.runtime.folder import Folder
from autoclave.runtime.toml import convert, parse_toml

_MOST_PATTERNS = 1000  # each is tried on every test

Id = Annotated[Line, Meta(max_length=100)]


class _Link(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    test: Annotated[Line, Meta(max_length=500)]
    requirements: Annotated[list[Id], Meta(min_length=1, max_length=1000)]


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    link: Annotated[list[_Link], Meta(min_length=1)]


def read(folder: Path, name: str) -> Callable[[str], tuple[str, ...]]:
    """Read a links file; return a function from a test's name, `classname::name`, to its requirements.

    A link's `test` is a whole name, or a pattern with `*`, `?` and `[…]`; it is compared with the full name
    and with the part after `::`. Raises SourceError, ConfigError.
    """
    path = resolve_inside(folder, name)
    shown = rows.relative_name(folder, path)
    data = parse_toml(rows.read_text(folder, path), shown)
    links = convert(data, _File, source=shown).link
    exact: dict[str, list[str]] = {}
    patterns: list[tuple[re.Pattern[str], list[str]]] = []
    for link in links:
        exact.setdefault(link.test, []).extend(link.requirements)  # [ and ? can be part of a name
        if any(mark in link.test for mark in "*?["):
            patterns.append((re.compile(fnmatch.translate(link.test)), link.requirements))
    if len(patterns) > _MOST_PATTERNS:
        raise ConfigError(
            f"{shown}: more than {_MOST_PATTERNS} patterns",
            next="write whole names, or name the ids in the tests",
        )
    return lambda test: _ids(test, exact, patterns)


def append(folder: Path, name: str, change: Callable[[str], str]) -> Path:
    """Replace a links file by what `change` makes of its text, whole or not at all; return its path.

    It is made when it is missing. Raises ConfigError, SourceError, and leaves it as it was, when what is
    there or what it would become cannot be read.
    """
    path, place = resolve_inside(folder, name), Folder(folder)
    before = "" if place.kind(name) is None else rows.read_text(folder, path)
    text = change(before)
    data = parse_toml(text, name)
    if "link" in data or before:  # a new file may have nothing but comments, until the device file names it
        convert(data, _File, source=name)
    return place.write(name, [text.encode()], durable=True) if text != before else path


def _ids(
    test: str, exact: dict[str, list[str]], patterns: list[tuple[re.Pattern[str], list[str]]]
) -> tuple[str, ...]:
    names = (test, test.rpartition("::")[2])
    found = [exact.get(name, []) for name in names]
    found += [ids for pattern, ids in patterns if any(pattern.match(name) for name in names)]
    return tuple(dict.fromkeys(one for ids in found for one in ids))
