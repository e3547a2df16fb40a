"""Folders of our own below `.autoclave/source`, each for one command: nobody else writes or removes them.

They are there and not in /tmp, since not every client of an engine can read that. A folder is locked as long
as its command lives: what a killed one left is removed by the next.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path

from autoclave.errors import SourceError

_NAME = "source"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Scratch:
    """An empty folder that is removed when it is closed, or when the process ends."""

    def __init__(self, state: Path) -> None:
        """Make it below a folder `.autoclave`; remove what died before. Raises SourceError."""
        try:
            with _open_parent(state) as parent:
                _sweep(parent)
                name = secrets.token_hex(8)
                os.mkdir(name, 0o700, dir_fd=parent)
                lock = os.open(name, _FOLDER, dir_fd=parent)
                fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise SourceError(
                f"no folder can be made below {state / _NAME}",
                why=str(error),
                next=f"the commit is written there: make {state} a folder that you may write to, and no link",
            ) from error
        self.path = state / _NAME / name
        self.close = weakref.finalize(self, _remove, self.path, lock)


def _remove(path: Path, lock: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(lock)


@contextlib.contextmanager
def _open_parent(state: Path) -> Iterator[int]:
    """Open and lock the folder of all of them: none is swept between its making and its lock."""
    with contextlib.suppress(FileExistsError):
        state.mkdir()
    opened = os.open(state, _FOLDER)
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(_NAME, 0o700, dir_fd=opened)
        parent = os.open(_NAME, _FOLDER, dir_fd=opened)
    finally:
        os.close(opened)
    try:
        fcntl.flock(parent, fcntl.LOCK_EX)
        yield parent
    finally:
        os.close(parent)


def _sweep(parent: int) -> None:
    for name in os.listdir(parent):
        try:
            opened = os.open(name, _FOLDER, dir_fd=parent)
        except OSError:
            continue  # not one of ours
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # its command is running
        else:
            shutil.rmtree(name, ignore_errors=True, dir_fd=parent)
        finally:
            os.close(opened)
