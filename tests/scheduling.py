"""Which worker runs which test: what shares set-up stays together, and what takes longest begins first."""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling


def group(item: pytest.Item) -> str:
    """Return what a test is kept together with: its module, when that has a fixture for all of its tests.

    A test may name another group: `@pytest.mark.xdist_group("name")`.
    """
    if marker := item.get_closest_marker("xdist_group"):
        return str(marker.args[0])
    definitions = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009 -- pytest names no public way
    shared = any(each[-1].scope == "module" for each in definitions.values())
    return item.nodeid.partition("::")[0] if shared else item.nodeid


def seconds(timings: Path | None) -> dict[str, float]:
    """Return what each test took in the run before, as tests/timings.py wrote it; empty without one."""
    found = {}
    with contextlib.suppress(OSError, ValueError):
        for line in timings.read_text("utf-8").splitlines() if timings else []:
            node, *phases = line.split("\t")
            found[node] = sum(map(float, phases[:3]))
    return found


def longest_first(items: list[pytest.Item], known: dict[str, float]) -> list[pytest.Item]:
    """Order groups by what they took before, an unknown test counted as 5 s."""
    groups: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        groups[group(item)].append(item)
    weights = {name: sum(known.get(each.nodeid, 5.0) for each in those) for name, those in groups.items()}
    return [item for name in sorted(groups, key=lambda name: -weights[name]) for item in groups[name]]


class Scheduling:
    """Hands the groups from the workers, which know the tests, to the process that shares the work out.

    pytest-xdist's own `--dist loadgroup` writes the group into a test's node id, which pytest 9.2 ignores.
    """

    def __init__(self, groups: Path, known: dict[str, float]) -> None:
        self.groups = groups
        self.known = known

    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker where to write the groups, and what tests took before."""
        node.workerinput["groups"] = str(self.groups)
        node.workerinput["known"] = self.known

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> LoadScopeScheduling:
        """Share out by group, in the order of the collection."""
        config.option.loadscopereorder = False
        return _ByGroup(config, log, self.groups)


class _ByGroup(LoadScopeScheduling):
    """A unit of work is a group."""

    def __init__(self, config: pytest.Config, log: Any, groups: Path) -> None:
        super().__init__(config, log)
        self._file = groups
        self._groups: dict[str, str] = {}

    def _split_scope(self, nodeid: str) -> str:
        if not self._groups:
            self._groups = json.loads(self._file.read_text("utf-8"))
        return self._groups[nodeid]


def write_groups(items: list[pytest.Item], file: Path) -> None:
    """Write the group of each test."""
    file.write_text(json.dumps({each.nodeid: group(each) for each in items}), "utf-8")
