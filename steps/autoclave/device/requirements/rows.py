"""What all formats share: reading files with limits, and making a requirement of a row of words."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from autoclave.device.schema import resolve_inside
from autoclave.errors import ConfigError, SourceError
from autoclave.model.declared import Method, Requirement, RequirementKind
from autoclave.runtime.toml import nearest

E = TypeVar("E", bound=StrEnum)

COLUMNS = ("id", "text", "kind", "hazard", "method", "evidence", "in-scope")
NEEDED = ("id", "text")

_LARGEST = 4 << 20  # bytes of one file
_MOST_FILES = 10_000
_MOST = 10_000  # requirements
_LONGEST = 4000  # characters of a text
_LONGEST_ID = 100
_YES = {"": True, "yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
# What spreadsheets make of them in German, French, Spanish, Italian, Portuguese and Dutch.
_YES |= dict.fromkeys(("wahr", "vrai", "verdadero", "vero", "verdadeiro", "waar"), True)
_YES |= dict.fromkeys(("falsch", "faux", "falso", "onwaar"), False)


def make_requirement(values: Mapping[str, str], source: str) -> Requirement:
    """Make a requirement from the words of one row; `source` is its file and line. Raises ConfigError."""
    words = {key: sanitize(value) for key, value in values.items()}
    if not words.get("text"):
        raise ConfigError(f"{source}: the requirement has no text", next="write what is required")
    if len(words["text"]) > _LONGEST:
        raise ConfigError(
            f"{source}: a text of more than {_LONGEST} characters", next="split the requirement"
        )
    return Requirement(
        id=_parse_id(values.get("id", ""), source),
        text=words["text"],
        kind=_parse_enum(RequirementKind, words.get("kind", ""), RequirementKind.REQUIREMENT, source, "kind"),
        hazard=words.get("hazard", "")[:_LONGEST],
        method=_parse_enum(Method, words.get("method", ""), Method.TEST, source, "method"),
        evidence=words.get("evidence", "")[:_LONGEST],
        source=source,
        in_scope=parse_flag(words.get("in-scope", ""), source, "in-scope"),
    )


def parse_flag(word: str, source: str, key: str) -> bool:
    """Return whether a word means yes, as an empty one does. Raises ConfigError for neither yes nor no."""
    answer = _YES.get(word.strip().lower())
    if answer is None:
        raise ConfigError(
            f"{source}: {key} '{sanitize(word)[:50]}' is neither yes nor no{describe_invisible(word)}",
            next="write yes or no",
        )
    return answer


def describe_invisible(text: str) -> str:
    """Return, in brackets, which characters of a word cannot be seen; empty when all can."""
    found = dict.fromkeys(c for c in text.strip() if not c.isprintable())
    names = [f"U+{ord(c):04X} {unicodedata.name(c, 'a control character')}" for c in found]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f" (it contains {', '.join(names[:3])}{more}, which cannot be seen)" if names else ""


def sanitize(text: str) -> str:
    """Return a text on one line, without characters that could control a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def refuse_duplicates(found: Iterable[Requirement]) -> None:
    """Raise ConfigError for an id that is there twice, or for too many requirements."""
    seen: dict[str, str] = {}
    for each in found:
        if each.id in seen:
            raise ConfigError(
                f"{each.source}: the id '{each.id}' is there twice",
                why=f"it is in {seen[each.id]} already, and a test that names it would be ambiguous",
                next="give each requirement its own id",
            )
        seen[each.id] = each.source
    if len(seen) > _MOST:
        raise ConfigError(f"more than {_MOST} requirements", next="leave out what is not a requirement")


def files_below(folder: Path, start: Path) -> list[Path]:
    """Return the files below a folder, sorted. Raises SourceError for a link that leaves the device."""
    found = []
    for path in sorted(start.rglob("*")):
        resolve_inside(folder, str(path.relative_to(folder.resolve())))
        if path.is_file():
            found.append(path)
        if len(found) > _MOST_FILES:
            raise ConfigError(f"{relative_name(folder, start)}: more than {_MOST_FILES} files")
    return found


def relative_name(folder: Path, path: Path) -> str:
    """Return a path as messages show it: relative to the device folder."""
    return path.relative_to(folder.resolve()).as_posix()


def read_text(folder: Path, path: Path) -> str:
    """Read a file as UTF-8. Raises SourceError when it cannot be read, ConfigError above 4 MiB."""
    name = relative_name(folder, path)
    try:
        if not path.is_file():
            raise SourceError(f"'{name}' is not a file", next="fix device.requirements in autoclave.toml")
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except OSError as error:
        raise SourceError(f"'{name}' cannot be read", why=str(error)) from error
    if len(raw) > _LARGEST:
        raise ConfigError(f"{name}: larger than {_LARGEST >> 20} MiB", next="split it")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(f"{name}:{line}: not UTF-8", next="save the file as UTF-8") from error


def _parse_id(word: str, source: str) -> str:
    found = word.strip()
    if not found:
        raise ConfigError(f"{source}: a requirement without id", next="give it one that never changes")
    if len(found) > _LONGEST_ID or not found.isprintable() or "," in found:
        raise ConfigError(
            f"{source}: the id '{sanitize(found)[:_LONGEST_ID]}' cannot be used{describe_invisible(found)}",
            why=f"tests list ids separated by commas; an id has at most {_LONGEST_ID} printable characters",
            next="give it a shorter id, without commas",
        )
    return found


def _parse_enum(kind: type[E], word: str, otherwise: E, source: str, key: str) -> E:
    if not word:
        return otherwise
    wanted = word.lower().replace("_", "-").replace(" ", "-")
    try:
        return kind(wanted)
    except ValueError as error:
        raise ConfigError(
            f"{source}: there is no {key} '{word[:50]}'", next=nearest(wanted[:50], list(kind))
        ) from error
