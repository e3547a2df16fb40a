"""Shell patterns in `${NAME#pattern}` and its kind, where only `*` and `?` are special.

Read in BuildKit 0.34.2: frontend/dockerfile/shell/lex.go.
"""

from __future__ import annotations

import re

_MOST = 2  # stars, each of which may try every length
_LONGEST = 300  # characters of pattern and value


class WordError(ValueError):
    """A word that the builder refuses, or that is too large to be resolved."""


def trim(value: str, pattern: str, kind: str) -> str:
    """Return the value without a beginning (`#`) or an end (`%`): the shortest, or with `##` the longest."""
    greedy = pattern[:1] == kind
    parts = _parts(pattern[1:] if greedy else pattern, value, greedy=greedy)
    if kind == "#":
        found = re.match("".join(parts), value)
        return value[found.end() :] if found else value
    # From the end: the shortest end is the first match of all that is reversed.
    found = re.match("".join(reversed(parts)), value[::-1])
    return value[: len(value) - found.end()] if found else value


def replace(value: str, pattern: str, new: str, *, every: bool) -> str:
    """Return the value with the first match of a pattern, or with every one, replaced."""
    expression = re.compile("".join(_parts(pattern, value, greedy=True)))
    return expression.sub(lambda _: new, value, count=0 if every else 1)


def _parts(pattern: str, value: str, *, greedy: bool) -> list[str]:
    """Return a shell pattern as the parts of an expression. Raises WordError."""
    if max(len(pattern), len(value)) > _LONGEST or pattern.count("*") > _MOST:
        raise WordError(
            f"a pattern may have {_MOST} times '*', and be used on a value of {_LONGEST} characters at most"
        )
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
            result.append(re.escape(char))
    return result
