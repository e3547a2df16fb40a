"""Devices that are prepared up to a step: once in each worker, copied for each test.

A test whose subject is a later step starts here instead of building, testing and scanning the same device
again. What it asserts about the earlier steps, it must run itself.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from builders.devices import Repository, copy_device

Change = Callable[[Repository], None]
_MADE: dict[tuple[Path, str, str, tuple[str, ...]], Repository] = {}


@contextmanager
def prepare(
    source: Path, folder: Path, *, to: str, change: Change | None = None, words: Sequence[str] = ()
) -> Iterator[Repository]:
    """Copy a sample for which a step and all before it were run; remove what the test leaves.

    `change` is made to the device before the run, `words` are more options of the run. The same sample, step,
    change (by its name) and words are prepared once.
    """
    name = change.__name__ if change else ""
    key = (source, to, name, tuple(words))
    if key not in _MADE:
        _MADE[key] = _prepare(source, to, change, words, number=len(_MADE))
    repository = copy_repository(_MADE[key], folder)
    try:
        yield repository
    finally:
        repository.remove()


def copy_repository(made: Repository, folder: Path) -> Repository:
    """Copy a device with its commits, its store and its keys. Both have the same name in the engine."""
    for each in (made.folder, made.home):
        if each.exists():
            shutil.copytree(each, folder / each.name, symlinks=True, copy_function=_copy)
    return Repository(folder / made.folder.name, folder / made.home.name, made.port, dict(made.more))


def _copy(source: str, target: str) -> None:
    """Copy a file; layers of images are linked, for nothing writes into them."""
    if Path(source).stat().st_size > 1_000_000:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def _prepare(
    source: Path, to: str, change: Change | None, words: Sequence[str], *, number: int
) -> Repository:
    folder = Path(tempfile.mkdtemp(prefix="prepared-", dir=_folder()))
    repository = copy_device(source, folder, name=f"t-ready-{number}")
    if change:
        change(repository)
        repository.commit()
    done = repository.run("run", "--to", to, *words)
    assert done.code == 0, done.err
    if to == "scan":  # which runs in parallel with the tests, not after them
        done = repository.run("unit-test", *words)
        assert done.code == 0, done.err
    return repository


def _folder() -> Path:
    """Return the folder for all of them, which ends with the session (see conftest.py)."""
    assert FOLDERS, "the session has no folder for prepared devices"
    return FOLDERS[0]


FOLDERS: list[Path] = []
