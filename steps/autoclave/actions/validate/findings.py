"""What a look at the files alone found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from msgspec import Struct

from autoclave.errors import AutoclaveError, ConfigError


class Level(StrEnum):
    """How certain a finding is to end a run.

    `ERROR`: a command cannot do its work. `GAP`: a gate will close, whatever is built. `NOTE`: it depends on
    what the files do not show, such as a base image.
    """

    ERROR = "error"
    GAP = "gap"
    NOTE = "note"


class Finding(Struct, frozen=True, kw_only=True):
    """One finding: what, why, what to do next; `key` is the key of the device file that it is about.

    `kind` is the name of the error as which a command reports it.
    """

    level: Level
    kind: str
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
        self.add_error(ConfigError(what, why=why, next=then), key, level)

    def add_error(self, error: AutoclaveError, key: str = "", level: Level = Level.ERROR) -> None:
        """Add what an error says, unless it was found already."""
        kind = type(error).__name__
        made = Finding(level=level, kind=kind, key=key, what=error.what, why=error.why, next=error.next)
        if made.what not in {each.what for each in self.found}:
            self.found.append(made)

    @contextmanager
    def part(self, key: str, level: Level = Level.ERROR) -> Iterator[None]:
        """Make a finding of an error that is raised inside."""
        try:
            yield
        except AutoclaveError as error:
            self.add_error(error, key, level)
