"""Directives at the top of a Dockerfile, and the ways in which versions of the builder read one.

Builders do not all read the same: here-documents came with BuildKit's frontend 1.4, white space after `<<`
later, and older ones take every comment `# name=value` at the top for a directive. The engine decides which
of them reads, so a file is read in all of these ways (`READINGS`).

Read in BuildKit 0.34.2 and 0.8: frontend/dockerfile/parser, parser.go and directives.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from autoclave.device.dockerfile import text as lines_of
from autoclave.errors import SourceError

_DIRECTIVE = re.compile(r"([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*", re.ASCII)
_KNOWN = {"syntax", "escape", "check"}


class Reading(Struct, frozen=True, kw_only=True):
    """How a version of the builder reads: here-documents, white space after `<<`, unknown directives.

    `names_last_stage` is whether TARGETSTAGE is the last stage's name when no stage is asked for.
    """

    name: str
    heredocs: bool
    spaced: bool
    any_directive: bool
    names_last_stage: bool = False


READINGS = (
    Reading(name="BuildKit of today", heredocs=True, spaced=True, any_directive=False, names_last_stage=True),
    Reading(name="BuildKit from frontend 1.4 on", heredocs=True, spaced=False, any_directive=True),
    Reading(name="builders without here-documents", heredocs=False, spaced=False, any_directive=True),
)


def find_syntax(lines: tuple[str, ...], reading: Reading) -> tuple[str, int]:
    """Return the frontend that the comments at the top name, and where; a line `#!` may be before them."""
    skipped = 1 if lines and lines[0].startswith("#!") else 0
    for number, key, value in _directives(lines[skipped:], reading):
        if key == "syntax":
            return value.partition(" ")[0], number + skipped
    return "", 0


def find_escape(lines: tuple[str, ...], name: str, reading: Reading) -> str:
    """Return the character that escapes, and that continues a line."""
    found: dict[str, tuple[int, str]] = {}
    for number, key, value in _directives([each.lstrip(lines_of.SPACES) for each in lines], reading):
        if key in found and key in _KNOWN:
            raise SourceError(
                f"{name}, line {number}: a second directive '{key}'",
                why="the builder refuses it",
                next="keep one of them",
            )
        found[key] = number, value
    number, escape = found.get("escape", (0, "\\"))
    if escape not in {"\\", "`"}:
        raise SourceError(
            f"{name}, line {number}: escape={escape[:20]}",
            why="only ` and \\ can be the escape character",
            next="write # escape=` or remove the line",
        )
    return escape


def _directives(lines: Sequence[str], reading: Reading) -> Iterator[tuple[int, str, str]]:
    """Yield line, name and value of the comments at the top that are directives."""
    for number, line in enumerate(lines, 1):
        found = _DIRECTIVE.fullmatch(line.rstrip("\r\n")[1:].lstrip(lines_of.SPACES))
        if not line.startswith("#") or found is None:
            return
        key = found[1].lower()
        if key not in _KNOWN and not reading.any_directive:
            return
        yield number, key, found[2]
