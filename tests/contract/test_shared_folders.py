"""A fixture's folder goes with it, unless a test failed meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared_folders import SharedFolders


def make_watched(parent: Path) -> tuple[SharedFolders, Any]:
    def mktemp(basename: str, numbered: bool = True) -> Path:
        folder = parent / basename
        folder.mkdir()
        return folder

    watcher, factory = SharedFolders(), SimpleNamespace(mktemp=mktemp)
    watcher.watch(factory)  # type: ignore[arg-type]
    return watcher, factory


def set_up(watcher: SharedFolders, fixture: Any, factory: Any, name: str) -> Path:
    setting_up = watcher.pytest_fixture_setup(fixture)
    next(setting_up)
    folder: Path = factory.mktemp(name)
    with pytest.raises(StopIteration):
        setting_up.send(None)
    return folder


class Fixture:
    """As much of a fixture as is looked at: its function."""

    def __init__(self, func: Callable[..., object]) -> None:
        self.func = func


@pytest.mark.parametrize(("func", "failed", "stays"), [
    (set_up, False, False),
    (set_up, True, True),
    (make_watched, False, True),  # a function that another fixture gave made it: that one may live longer
])  # fmt: skip
def test_a_folder_goes_with_its_fixture(
    tmp_path: Path, func: Callable[..., object], failed: bool, stays: bool
) -> None:
    watcher, factory = make_watched(tmp_path)
    fixture: Any = Fixture(func)
    folder = set_up(watcher, fixture, factory, "made")
    watcher.pytest_runtest_logreport(SimpleNamespace(failed=failed))  # type: ignore[arg-type]
    watcher.pytest_fixture_post_finalizer(fixture)
    assert folder.exists() is stays


def test_a_folder_of_another_fixture_stays(tmp_path: Path) -> None:
    watcher, factory = make_watched(tmp_path)
    first: Any = Fixture(set_up)
    second: Any = Fixture(set_up)
    kept, gone = (set_up(watcher, each, factory, name) for each, name in ((first, "kept"), (second, "gone")))
    watcher.pytest_fixture_post_finalizer(second)
    assert kept.exists()
    assert not gone.exists()
