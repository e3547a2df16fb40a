"""Which folder is a Dockerfile built in, and which files does it take that are no part of the repository?"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from fnmatch import translate

from autoclave.actions.starter.dockerfile import Stage
from autoclave.actions.starter.facts import Project, Remark, left
from autoclave.actions.starter.repository import SKIPPED, Repository, join, parents

HOMES = frozenset(
    [
        ".docker",
        "build",
        "ci",
        "container",
        "containers",
        "deploy",
        "deployment",
        "docker",
        "dockerfiles",
        "package",
    ]
)
"""Folders that are named after what Dockerfiles are for, not after what is in the image."""

ASIDE = frozenset(
    [
        *(
            ".circleci",
            ".devcontainer",
            ".github",
            ".gitlab",
            "bench",
            "benchmark",
            "benchmarks",
            "contrib",
            "demo",
            "doc",
        ),
        *(
            "docs",
            "example",
            "examples",
            "fixtures",
            "hack",
            "packaging",
            "resources",
            "sample",
            "samples",
            "scripts",
        ),
        *("test", "testdata", "testing", "tests", "tools", "utils", "e2e"),
    ]
)
"""Folders in which things are that help, and are not the device."""

_EVERYTHING = {".", "./", "/", "*", "./*"}
_WILD = re.compile(r"[*?\[]")


def guess(path: str, sources: Iterable[str], repository: Repository, projects: Iterable[Project]) -> str:
    """Return the folder in which most of what a Dockerfile copies exists; else its own."""
    own, *above = parents(path)
    named = [each for each in dict.fromkeys(sources) if each not in _EVERYTHING and "$" not in each]
    best, most = own, 0
    for folder in (own, *above):
        count = sum(exists(each, folder, repository) for each in named)
        if count > most:
            best, most = folder, count
    if most or not above:
        return best
    folders = {each.folder for each in projects}
    if own not in folders and posixpath.basename(own) in HOMES:
        return next((each for each in above if each in folders), above[0])
    return own


def exists(source: str, folder: str, repository: Repository) -> bool:
    """Return whether something in a folder is what COPY names."""
    path = join(folder, source.lstrip("/"))
    if not path or not _WILD.search(source):
        return bool(path) and repository.has(path)
    pattern = re.compile(translate(path))
    depth = path.count("/")
    return any(known.count("/") == depth and pattern.match(known) for known in repository.known)


def copies_everything(stages: Iterable[Stage]) -> bool:
    """Return whether a build copies its whole context."""
    return any(source in _EVERYTHING for stage in stages for source in stage.sources)


def missing(
    path: str, stages: Iterable[Stage], folder: str, repository: Repository, projects: Iterable[Project]
) -> list[Remark]:
    """Return what a Dockerfile copies that is no file of the repository, or that a build writes."""
    outputs = tuple(each for project in projects for each in project.outputs)
    found = []
    for stage in stages:
        for source in stage.sources:
            where = join(folder, source.lstrip("/"))
            if source in _EVERYTHING or "$" in source or not where:
                continue
            written = any(where == each or where.startswith(f"{each}/") for each in outputs)
            if not written and (exists(source, folder, repository) or _is_unknown(where)):
                continue
            found.append(
                left(
                    f"{path} copies '{source}', which is no file of the commit, and the commit is what is "
                    "built: build it in a stage of the Dockerfile, and take it with COPY --from"
                )
            )
    return found[:5]


def _is_unknown(path: str) -> bool:
    """Return whether a path is below a folder that was not listed, so that nobody knows."""
    return bool(SKIPPED & set(path.split("/")) - {"node_modules", ".venv", "venv"})
