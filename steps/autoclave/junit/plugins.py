"""Plug-ins of pytest that repeat failed tests, and those of them that leave no trace of it in the report.

pytest itself repeats nothing, and names no plug-in in its report: Autoclave's own plug-in does
(`harness/pytest_plugin.py`).
"""

from __future__ import annotations

import re

from msgspec import Struct

PROPERTY = "pytest-plugins"
"""The property of the suite that lists what pytest ran with: `NAME VERSION`, separated by commas."""

# The first version whose attempts are elements of their own; None where no version's are.
# pytest-rerunfailures: https://github.com/facebookresearch/ProgramBench/issues/64 (before 16.6.1, the last
# attempt alone), and the reports that 14.0, 16.1 and 16.7 wrote. flaky 3.8.1 and pytest-retry 1.7.0: the
# reports that they wrote.
_TRACED_FROM: dict[str, tuple[int, ...] | None] = {
    "pytest-rerunfailures": (16, 6, 1),
    "flaky": (),
    "pytest-retry": None,
}


class Plugins(Struct, frozen=True):
    """What is known of the plug-ins that a suite ran with.

    `repeat` is whether one of them repeats tests, each attempt an element of its own; `hide` maps the others
    to what to do about each.
    """

    repeat: bool = False
    hide: dict[str, str] = {}


def judge(listed: str) -> Plugins:
    """Return what repeats tests, of the plug-ins that a property lists."""
    hidden = {}
    repeat = False
    for entry in listed.split(","):
        name, _, version = entry.strip().partition(" ")
        name = name.lower().replace("_", "-")
        if name not in _TRACED_FROM:
            continue
        version = re.sub(r"[^0-9A-Za-z.+-]", "", version[:30])
        first = _TRACED_FROM[name]
        if first is None:
            hidden[f"{name} {version}".strip()] = "remove it, or take pytest-rerunfailures 16.7"
        elif _numbers(version) < first:
            hidden[f"{name} {version}".strip()] = "take 16.7 or newer"
        else:
            repeat = True
    return Plugins(repeat, hidden)


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with, none of one that has none."""
    found = re.match(r"\d{1,6}(\.\d{1,6}){0,3}", version)
    return tuple(map(int, found.group().split("."))) if found else ()
