"""Folders that fixtures make go when the fixture does: a whole run would keep gigabytes of images."""

from __future__ import annotations

import shutil
import sys
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest


class SharedFolders:
    """Removes the folders of a fixture that ended, unless a test failed meanwhile: then they tell why.

    Folders that somebody else's function makes meanwhile can belong to a fixture that lives longer; those of
    single tests (`tmp_path`) are pytest's own to remove.
    """

    def __init__(self) -> None:
        self._setting_up: list[pytest.FixtureDef[Any]] = []
        self._made: dict[pytest.FixtureDef[Any], list[tuple[Path, int]]] = defaultdict(list)
        self._failed = 0

    def watch(self, factory: pytest.TempPathFactory) -> None:
        """Notice each folder that a factory makes, and for which fixture."""
        make = factory.mktemp

        def mktemp(basename: str, numbered: bool = True) -> Path:
            folder = make(basename, numbered)
            fixture = self._setting_up[-1] if self._setting_up else None
            if fixture and sys._getframe(1).f_code is getattr(fixture.func, "__code__", None):
                self._made[fixture].append((folder, self._failed))
            return folder

        factory.mktemp = mktemp  # type: ignore[method-assign]

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        """Remember which fixture is being set up."""
        self._setting_up.append(fixturedef)
        try:
            return (yield)
        finally:
            self._setting_up.pop()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what failed."""
        self._failed += report.failed

    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Remove what a fixture made."""
        for folder, failed in self._made.pop(fixturedef, []):
            if failed == self._failed:
                shutil.rmtree(folder, ignore_errors=True)
