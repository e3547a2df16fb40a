"""Shell patterns in `${NAME#pattern}` and its kind, where only `*` and `?` are special.

Read in BuildKit 0.34.2: frontend/dockerfile/shell/lex.go.
"""

from __future__ import annotations

import re

_ESCAPED = frozenset("[]{}.+()|^$")
_MOST = 5  # stars, each of which may try every length


class WordError(ValueError):
    """A word that the builder refuses."""


def trim(value: str, pattern: str, kind: str) -> str:
    """Return the value without a beginning (`#`) or an end (`%`): the shortest, or with `##` the longest."""
    greedy = pattern[:1] == kind
    pattern = pattern[1:] if greedy else pattern
    if kind == "#":
        found = compile_pattern(pattern, greedy=greedy).match(value)
        return value[found.end() :] if found else value
    ends = [
        at for at in range(len(value), -1, -1) if compile_pattern(pattern, greedy=True).fullmatch(value, at)
    ]
    if not ends:
        return value
    return value[: ends[-1] if greedy else ends[0]]


def compile_pattern(pattern: str, *, greedy: bool) -> re.Pattern[str]:
    """Return a shell pattern as an expression: only `*` and `?` are special."""
    if len(pattern) > 100 or pattern.count("*") > _MOST:
        raise WordError(f"the pattern '{pattern[:40]}' is too long")
    result: list[str] = []
    chars = iter(pattern)
    for char in chars:
        if char == "*":
            result.append(".*" if greedy else ".*?")
        elif char == "?":
            result.append(".")
        elif char == "\\":
            escaped = next(chars, "")
            if escaped not in {"*", "?", "\\", "}", "/"}:
                raise WordError(f"the pattern has the invalid escape '\\{escaped}'")
            result.append(re.escape(escaped))
        else:
            result.append(f"\\{char}" if char in _ESCAPED else re.escape(char))
    return re.compile("".join(result))
