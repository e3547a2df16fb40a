"""Which files of a build context an ignore file leaves out, as BuildKit decides it.

Read in moby/patternmatcher 0.6.1: patternmatcher.go and ignorefile/ignorefile.go.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from autoclave.errors import SourceError

_LARGEST = 1 << 20  # bytes of an ignore file
_LONGEST = 64 * 1024 - 1  # bytes of a line, as the builder limits it
_MOST_WILDCARDS = 8  # in one pattern: each may try every length
_BOM = b"\xef\xbb\xbf"
_SPACES = (
    " \t\n\v\f\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_WILDCARDS = frozenset("*?[]\\")


class Pattern(Struct, frozen=True):
    """A line of an ignore file: what it matches, and whether it brings back what others left out."""

    matches: Callable[[str], bool]
    brings_back: bool


def read_ignore_file(raw: bytes, name: str) -> list[Pattern]:
    """Return the patterns of an ignore file. Raises SourceError that names the line."""
    if len(raw) > _LARGEST:
        raise SourceError(f"{name} has {len(raw)} bytes", why=f"it may have {_LARGEST} at most")
    found: list[Pattern] = []
    for number, line in enumerate(raw.removeprefix(_BOM).split(b"\n"), 1):
        if len(line) > _LONGEST:
            raise SourceError(f"{name}, line {number} has {len(line)} bytes", why="the builder refuses it")
        if line.startswith(b"#"):
            continue
        # Names of files are bytes: what is no UTF-8 is kept.
        written = os.fsdecode(line).strip(_SPACES)
        if not written:
            continue
        # The builder cleans twice, and looks for '!' again: '/!x' and '!x' are the same to it.
        first = written[1:].strip(_SPACES) if written.startswith("!") else written
        sign = "!" if written.startswith("!") else ""
        again = _clean(f"{sign}{_relative(first)}".strip(_SPACES))
        brings_back = again.startswith("!")
        pattern = again[1:] if brings_back else again
        try:
            found.append(Pattern(_compile(pattern), brings_back))
        except ValueError as error:
            raise SourceError(
                f"{name}, line {number}: '{written[:80]}' is no pattern",
                why=str(error),
                next="fix the line, or begin it with # to make it a comment",
            ) from error
    return found


def walk(context: Path, patterns: Sequence[Pattern]) -> list[Path]:
    """Return files and folders of a context that are not left out, relative and sorted.

    A folder that is left out is there when something below it is brought back.
    """
    found: set[str] = set()
    can_return = any(each.brings_back for each in patterns)
    # A list of folders still to read, and not a call for each: nesting has no limit.
    waiting: list[tuple[str, tuple[bool, ...]]] = [("", (False,) * len(patterns))]
    while waiting:
        folder, above = waiting.pop()
        for name, is_folder in _entries(context, folder):
            path = f"{folder}/{name}" if folder else name
            is_out, matched = _is_left_out(path, above, patterns)
            if not is_out:
                found.add(path)
                found.update(_parents(path, found))
            if is_folder and (not is_out or can_return):
                waiting.append((path, matched))
    return [Path(each) for each in sorted(found)]


def _is_left_out(
    path: str, above: Sequence[bool], patterns: Sequence[Pattern]
) -> tuple[bool, tuple[bool, ...]]:
    """Return whether a path is left out, and which patterns matched; `above` are those of its folder."""
    is_out = False
    matched: list[bool] = []
    for pattern, before in zip(patterns, above, strict=True):
        # A pattern that can change nothing is not tried, and counts as not matched below too.
        match = before or (pattern.brings_back == is_out and pattern.matches(path))
        matched.append(match)
        if match:
            is_out = not pattern.brings_back
    return is_out, tuple(matched)


def _entries(context: Path, folder: str) -> Iterator[tuple[str, bool]]:
    try:
        with os.scandir(context / folder) as listed:
            for each in listed:
                yield each.name, each.is_dir(follow_symlinks=False)
    except OSError as error:
        raise SourceError(f"the folder {context / folder} cannot be read", why=str(error)) from error


def _parents(path: str, known: set[str]) -> Iterator[str]:
    while (path := posixpath.dirname(path)) and path not in known:
        yield path


def _relative(pattern: str) -> str:
    """Return a pattern without the slash that it may begin with."""
    cleaned = _clean(pattern) if pattern else ""
    return cleaned[1:] if len(cleaned) > 1 and cleaned.startswith("/") else cleaned


def _clean(pattern: str) -> str:
    """Return the shortest form of a path; of several slashes at its begin, one is left."""
    cleaned = posixpath.normpath(pattern)
    return f"/{cleaned.lstrip('/')}" if cleaned.startswith("/") else cleaned


def _compile(pattern: str) -> Callable[[str], bool]:
    """Return what decides whether a path matches. Raises ValueError."""
    if not pattern:
        raise ValueError("nothing follows the '!'")
    if not _WILDCARDS & set(pattern):
        return pattern.__eq__
    if pattern.startswith("**") and not _WILDCARDS & set(pattern[2:]):
        return _ends_with(pattern[2:])
    if pattern.endswith("**") and not _WILDCARDS & set(pattern[:-2]):
        return _begins_with(pattern[:-2])
    if pattern.endswith("**/") and not _WILDCARDS & set(pattern[:-3]):
        return _begins_with(pattern[:-3])
    expression = re.compile(_expression(pattern), re.ASCII)
    return lambda path: expression.fullmatch(path) is not None


def _ends_with(end: str) -> Callable[[str], bool]:
    return lambda path: path.endswith(end) or (end[:1] == "/" and path == end[1:])


def _begins_with(start: str) -> Callable[[str], bool]:
    return lambda path: path.startswith(start)


def _expression(pattern: str) -> str:
    result: list[str] = []
    wildcards = at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            wildcards += 1
            is_double = pattern.startswith("*", at)
            at += 1 if is_double else 0
            at += 1 if is_double and pattern.startswith("/", at) else 0
            if not is_double:
                result.append("[^/]*")
            else:
                result.append("(?:.*/)?" if at < len(pattern) else ".*")
        elif char == "?":
            result.append("[^/]")
        elif char == "[":
            part, at = _class(pattern, at)
            result.append(part)
        elif char == "\\":
            if at == len(pattern):
                raise ValueError("it ends with a backslash")
            if pattern[at].isalnum():
                raise ValueError(f"'\\{pattern[at]}' means something else to each reader")
            result.append(re.escape(pattern[at]))
            at += 1
        elif char == "^":
            result.append("^")  # the builder does not escape it
        else:
            result.append(re.escape(char))
    if wildcards > _MOST_WILDCARDS:
        raise ValueError(f"it has more than {_MOST_WILDCARDS} times '*'")
    return "".join(result)


def _class(pattern: str, at: int) -> tuple[str, int]:
    """Return a class of characters, `[a-z]` or `[^a-z]`, and where it ends."""
    end = at
    negated = pattern.startswith("^", at)
    end += 1 if negated else 0
    items: list[str] = []
    while end < len(pattern) and pattern[end] != "]":
        first, end = _class_char(pattern, end)
        if pattern.startswith("-", end):
            last, end = _class_char(pattern, end + 1)
            if last < first:
                raise ValueError(f"'{first}-{last}' is no range")
            items.append(f"{re.escape(first)}-{re.escape(last)}")
        else:
            items.append(re.escape(first))
    if end >= len(pattern) or not items:
        raise ValueError("'[' is not closed, or has nothing inside")
    return f"[{'^' if negated else ''}{''.join(items)}]", end + 1


def _class_char(pattern: str, at: int) -> tuple[str, int]:
    char = pattern[at : at + 1]
    if char in {"", "-", "]"}:
        raise ValueError("a class of characters is incomplete")
    if char in {"[", "*", "?"}:
        raise ValueError(f"'{char}' in a class of characters means something else to each reader")
    if char != "\\":
        return char, at + 1
    escaped = pattern[at + 1 : at + 2]
    if not escaped or escaped.isalnum():
        raise ValueError("a backslash in a class of characters is followed by a letter, or by nothing")
    return escaped, at + 2
