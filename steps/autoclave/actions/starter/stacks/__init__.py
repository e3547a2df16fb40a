"""Which stack is a project of? Each module knows one: a new stack is one file here, and no row in a list."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from autoclave.actions.starter.facts import Project, Remark, assumed
from autoclave.actions.starter.repository import Repository, matches
from autoclave.actions.starter.stacks.base import Sources, Stack
from autoclave.errors import AutoclaveError
from autoclave.runtime.modules import Plugins

_PLUGINS = Plugins(package=__name__, folders=__path__, kind="stack", helpers=frozenset({"base", "java"}))
_MOST = 200  # projects


@cache
def all_stacks() -> tuple[Stack, ...]:
    """Return every stack, in the order of their names."""
    return tuple(_PLUGINS.load(name).STACK for name in _PLUGINS.names())


def bases() -> dict[str, tuple[str, ...]]:
    """Return the words in the names of base images, by stack."""
    return {name: stack.bases for name, stack in zip(_PLUGINS.names(), all_stacks(), strict=True)}


def patterns() -> tuple[str, ...]:
    """Return the names of all files that some stack reads."""
    return tuple(dict.fromkeys(each for stack in all_stacks() for each in stack.files))


def find(repository: Repository) -> tuple[list[Project], list[Remark]]:
    """Return the projects of a repository, those near its root first; and what could not be read."""
    projects: list[Project] = []
    remarks: list[Remark] = []
    for stack in all_stacks():
        for folder, names in _folders(repository, stack.files):
            try:
                project = stack.read(Sources(repository=repository, folder=folder, names=tuple(names)))
            except AutoclaveError as error:
                remarks.append(assumed(f"{error.what}: left out" + (f" ({error.why})" if error.why else "")))
                continue
            if project is not None:
                projects.append(project)
    return sorted(projects, key=lambda each: (depth(each.folder), each.folder))[:_MOST], remarks


def depth(folder: str) -> int:
    """Return how many folders a folder is in; 0 is the repository itself."""
    return 0 if folder == "." else folder.count("/") + 1


def _folders(repository: Repository, files: tuple[str, ...]) -> Iterable[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for path in repository.contents:
        if matches(path, files):
            folder, _, name = path.rpartition("/")
            found.setdefault(folder or ".", []).append(name)
    return found.items()
