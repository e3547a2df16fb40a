"""Shell tests: Bats writes JUnit, plain scripts write none."""

from __future__ import annotations

import posixpath

from autoclave.actions.starter.facts import Project, Tests, left
from autoclave.actions.starter.repository import matches
from autoclave.actions.starter.stacks.base import RESULTS, Sources, Stack, arrives

_BATS = ("*.bats",)
_SCRIPTS = ("test*.sh", "*_test.sh", "*-test.sh")
_FOLDERS = ("test", "tests", "spec", "bats")


def read(sources: Sources) -> Project | None:
    """Return the project around a folder of shell tests."""
    is_tests = posixpath.basename(sources.folder) in _FOLDERS
    home = (posixpath.dirname(sources.folder) or ".") if is_tests else sources.folder
    bats = [name for name in sources.names if matches(name, _BATS)]
    scripts = [name for name in sources.names if matches(name, _SCRIPTS)]
    folder = posixpath.basename(sources.folder) if sources.folder != "." else ""
    remarks = []
    if scripts and not bats:
        remarks.append(
            left(
                f"{sources.path(scripts[0])} writes no JUnit report: start it from a test of Bats "
                "('bats --report-formatter junit')"
            )
        )
    return Project(
        stack="shell",
        title="Shell",
        folder=home,
        source=sources.path((bats or scripts)[0]),
        tests=_tests(sources.folder if folder else bats[0]) if bats else None,
        remarks=tuple(remarks),
    )


def _tests(path: str) -> Tests:
    return Tests(
        tool="Bats",
        command=("bats", "--report-formatter", "junit", "--output", RESULTS, arrives(path)),
        junit=("report.xml",),
        copy=(path,),
        stage=("RUN apt-get update && apt-get install --yes --no-install-recommends bats",),
    )


STACK = Stack(files=(*_BATS, *_SCRIPTS), bases=(), read=read)
