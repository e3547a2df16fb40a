"""Versions of programs: read out of what they print, and compared with a range."""

from __future__ import annotations

import re

from msgspec import Struct

_PRINTED = re.compile(r"(?<![\w.])v?(\d{1,9}(?:\.\d{1,9}){1,3})(?P<rest>[A-Za-z0-9.+~-]*)", re.ASCII)
_PRELIMINARY = re.compile(r"[-~.]?(?:alpha|beta|rc|pre|dev|snapshot|next|nightly)", re.IGNORECASE)
_LARGEST = 1 << 16  # characters that are searched


class Range(Struct, frozen=True):
    """The versions from `least` on, and below `below`."""

    least: str
    below: str

    def has(self, version: str) -> bool:
        """Return whether a version is in the range; what is before a release, as `-rc1`, never is."""
        found = _PRINTED.fullmatch(version)
        if not found or _PRELIMINARY.match(found["rest"]):
            return False
        numbers = _split(found[1])
        return _split(self.least) <= numbers < _split(self.below)

    def __str__(self) -> str:
        return f"{self.least} to below {self.below}"


def find_version(printed: str) -> str:
    """Return the first version in what a program prints, without a leading v; empty without one."""
    found = _PRINTED.search(printed[:_LARGEST])
    return found[0].removeprefix("v").rstrip(".-+~") if found else ""


def _split(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, four of them: 1.34 is 1.34.0.0."""
    numbers = [int(each) for each in version.split(".")]
    return tuple(numbers + [0] * (4 - len(numbers)))
