"""What a look at the files alone found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from msgspec import Struct

from autoclave.errors import AutoclaveError


class Level(StrEnum):
    """How certain a finding is to end a run.

    `ERROR`: a command cannot do its work. `GAP`: a gate will close, whatever is built. `NOTE`: it depends on
    what the files do not show, such as a base image.
    """

    ERROR = "error"
    GAP = "gap"
    NOTE = "note"


class Finding(Struct, frozen=True, kw_only=True):
    """One finding: what, why, what to do next; `key` is the key of the device file that it is about."""

    level: Level
    key: str
    what: str
    why: str = ""
    next: str = ""


class Findings:
    """Collects findings; the error of one part does not end the others."""

    def __init__(self) -> None:
        self.found: list[Finding] = []

    def add(self, level: Level, key: str, what: str, *, why: str = "", then: str = "") -> None:
        """Add a finding, unless the same was found already."""
        made = Finding(level=level, key=key, what=what, why=why, next=then)
        if made.what not in {each.what for each in self.found}:
            self.found.append(made)

    @contextmanager
    def part(self, key: str, level: Level = Level.ERROR) -> Iterator[None]:
        """Make a finding of an error that is raised inside."""
        try:
            yield
        except AutoclaveError as error:
            self.add(level, key, error.what, why=error.why, then=error.next)
