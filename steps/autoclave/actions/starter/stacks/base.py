"""What a stack is: which files make a project of it, which base images it has, and how they are read."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from autoclave.actions.starter import texts
from autoclave.actions.starter.facts import Project
from autoclave.actions.starter.repository import Repository, below, join

RESULTS = "/autoclave/results"
TESTS = "/opt/tests"
"""Where the suggested test stages put what they add."""


def arrives(path: str) -> str:
    """Return where an item of `copy` is in the test container."""
    return f"/autoclave/{path}"


class Sources(Struct, frozen=True):
    """The files of one folder that a stack reads, and the paths around them."""

    repository: Repository
    folder: str
    names: tuple[str, ...]

    def text(self, name: str) -> str:
        """Return the text of a file of the folder; empty when it was not read. Raises ConfigError."""
        path = self.path(name)
        raw = self.repository.contents.get(path)
        return texts.decode(raw, path) if raw is not None else ""

    def path(self, name: str) -> str:
        """Return the path of a name in the repository."""
        return join(self.folder, name)

    def has(self, name: str) -> bool:
        """Return whether the folder has a file or folder of this name."""
        return self.repository.has(self.path(name))

    def first(self, *names: str) -> str:
        """Return the first of the names that the folder has, as a path in the repository; empty without."""
        return next((self.path(name) for name in names if self.has(name)), "")

    def below(self) -> tuple[str, ...]:
        """Return all files of the repository that are below the folder."""
        return tuple(path for path in self.repository.paths if below(path, self.folder))


class Stack(Struct, frozen=True, kw_only=True):
    """A stack. `files` are patterns of names, `bases` words in the names of its base images.

    `read` returns the project that a folder with such files is, or None when it is none. It is a pure
    function of the files, and raises ConfigError for those that cannot be read.
    """

    files: tuple[str, ...]
    bases: tuple[str, ...]
    read: Callable[[Sources], Project | None]
