"""What a release is made from: the commit, taken out of git's objects; or, for debugging, what lies there.

`open_commit` reads the commit that is checked out, and writes the device's folder of it elsewhere: nothing of
the work tree is used. `open_work_tree` takes the work tree as it is.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from pathlib import Path
from typing import Protocol

from autoclave.device.schema import resolve_inside
from autoclave.device.source import export, inventory, links, repository
from autoclave.device.source.compare import count_differences
from autoclave.device.source.inventory import Part
from autoclave.device.source.objects import Objects
from autoclave.device.source.repository import Repository
from autoclave.device.source.scratch import Scratch
from autoclave.errors import SourceError
from autoclave.runtime.shell import Shell

__all__ = ["Source", "count_differences", "open_commit", "open_work_tree"]

_DEVICE = "device"
_LARGEST = 16 << 20  # bytes of one file that is read whole


class Source(Protocol):
    """The device's folder as a release is made from it."""

    @property
    def folder(self) -> Path:
        """The folder with all files; for reading alone."""

    @property
    def commit(self) -> str:
        """The id of the commit; empty when nothing of the folder is committed."""

    @property
    def tree(self) -> str:
        """The id of the device folder's tree in the commit; empty when a work tree was read instead."""

    @property
    def time(self) -> int:
        """When the commit was made, in seconds since 1970; 0 without one."""

    @property
    def is_worktree(self) -> bool:
        """Whether this is what lies in the work tree, and not a commit."""

    def read(self, name: str, *, limit: int = _LARGEST) -> bytes:
        """Return a file of at most `limit` bytes. Raises SourceError."""

    def name_original(self, text: str) -> str:
        """Return a message that names files where a person edits them, not where they were written."""

    def close(self) -> None:
        """Remove what was written."""


class WorkTree:
    """The device's folder as it lies there. The commit is only that on which it is based."""

    is_worktree = True
    tree = ""

    def __init__(self, folder: Path, shell: Shell) -> None:
        self.folder = folder
        self._shell = shell
        self._lock = threading.Lock()
        self._found: tuple[str, int] | None = None

    @property
    def commit(self) -> str:
        """The id of the commit that is checked out."""
        return self._base()[0]

    @property
    def time(self) -> int:
        """When that commit was made."""
        return self._base()[1]

    def read(self, name: str, *, limit: int = _LARGEST) -> bytes:
        """Return a file; a link is followed inside of the folder."""
        return _read_inside(self.folder, name, limit)

    def name_original(self, text: str) -> str:
        """Return the text: files are where a person edits them."""
        return text

    def close(self) -> None:
        """Do nothing: nothing was written."""

    def _base(self) -> tuple[str, int]:
        with self._lock:
            if self._found is None:
                self._found = self._read_base()
            return self._found

    def _read_base(self) -> tuple[str, int]:
        with contextlib.suppress(SourceError), tempfile.TemporaryDirectory(prefix="autoclave-git-") as home:
            where = repository.find(self.folder)
            head = repository.read_head(where) if where else ""
            if where is None or not head:
                return "", 0
            objects = Objects(where, self._shell, Path(home), len(head))
            try:
                commit = inventory.read_commit(objects, head)
                tree, _ = inventory.find_tree(commit, self.folder.relative_to(where.top), objects)
            finally:
                objects.close()
            if tree:
                return commit.id, commit.time
        return "", 0  # it is not built from a commit in any case, and the record says so


class CommittedTree:
    """The device's folder as it is in the commit that is checked out."""

    is_worktree = False

    def __init__(self, checkout: Path, state: Path, shell: Shell) -> None:
        """Read the commit. Raises SourceError without one, or when nothing of the folder is in it."""
        self._checkout = checkout
        self._shell = shell
        self._lock = threading.Lock()
        self._opened: list[Objects] = []
        self._folder: Path | None = None
        where, head = _find_commit(checkout)
        self._scratch = Scratch(state)
        try:
            self._objects = self._open(where, len(head))
            commit = inventory.read_commit(self._objects, head)
            relative = checkout.relative_to(where.top)
            self.tree, self._has_lfs = inventory.find_tree(commit, relative, self._objects)
        except BaseException:  # Ctrl-C as well: what was begun is removed
            self.close()
            raise
        self.commit, self.time = commit.id, commit.time
        if not self.tree:
            self.close()
            raise SourceError(
                f"nothing of {checkout} is committed",
                why=f"the commit {head[:12]} of {where.top} has no folder '{relative}'",
                next=_COMMIT,
            )

    @property
    def folder(self) -> Path:
        """The folder with all files; written at first use."""
        with self._lock:
            if self._folder is None:
                self._folder = self._write()
            return self._folder

    def read(self, name: str, *, limit: int = _LARGEST) -> bytes:
        """Return a file of the folder, so what Git LFS names; a link is followed inside of the folder."""
        return _read_inside(self.folder, name, limit)

    def name_original(self, text: str) -> str:
        """Return a text that names files in the checkout."""
        return text.replace(str(self._scratch.path / _DEVICE), str(self._checkout))

    def close(self) -> None:
        """End git, and remove the folder."""
        for each in self._opened:
            each.close()
        self._scratch.close()

    def _open(self, where: Repository, length: int) -> Objects:
        home = self._scratch.path / f"git-{len(self._opened)}"
        home.mkdir()
        opened = Objects(where, self._shell, home, length)
        self._opened.append(opened)
        return opened

    def _write(self) -> Path:
        parts = list(
            inventory.read_parts(
                self._objects, self.tree, has_lfs=self._has_lfs, open_module=self._open_module
            )
        )
        if any(_is_ours(path) for part in parts for path in _top_names(part)):
            raise SourceError(
                "the commit contains .autoclave",
                why="reports and records of this machine are in it, and it is written during a run",
                next="git rm -r --cached .autoclave && echo .autoclave/ >>.gitignore, and commit that",
            )
        links.require_inside({path: target for part in parts for path, target in part.links.items()})
        folder = self._scratch.path / _DEVICE
        folder.mkdir()
        root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            export.write(parts, root, self.time)
        finally:
            os.close(root)
        return folder

    def _open_module(self, path: bytes, commit: str) -> tuple[Objects, str]:
        name = os.fsdecode(path)
        try:
            where = repository.require_at(self._checkout / name)
            objects = self._open(where, len(commit))
            return objects, inventory.read_commit(objects, commit).tree
        except SourceError as error:
            raise SourceError(
                f"the submodule '{name}' cannot be read at its commit {commit[:12]}",
                why=f"{error.what}{f': {error.why}' if error.why else ''}",
                next=f"git submodule update --init --recursive {name}",
            ) from error


_COMMIT = "commit it (git add . && git commit), or build what lies there: --worktree"


def open_commit(checkout: Path, state: Path, shell: Shell) -> Source:
    """Return the commit that is checked out; `state` is the folder `.autoclave`. Raises SourceError."""
    return CommittedTree(checkout, state, shell)


def open_work_tree(folder: Path, shell: Shell) -> Source:
    """Return what lies in a folder."""
    return WorkTree(folder, shell)


def _find_commit(checkout: Path) -> tuple[Repository, str]:
    where = repository.find(checkout)
    if where is None:
        raise SourceError(
            f"{checkout} is in no git repository",
            why="a release is made from a commit, so that anybody can make it again",
            next=f"git init, then {_COMMIT}",
        )
    head = repository.read_head(where)
    if not head:
        raise SourceError(f"{where.top} has no commit", why="a release is made from one", next=_COMMIT)
    return where, head


def _top_names(part: Part) -> list[bytes]:
    return [*part.folders, *(each.path for each in part.files), *part.links]


def _is_ours(path: bytes) -> bool:
    return path.partition(b"/")[0] == b".autoclave"


def _read_inside(folder: Path, name: str, limit: int) -> bytes:
    path = resolve_inside(folder, name)
    if not path.is_file():
        raise SourceError(f"'{name}' is not a file", next="fix the path, or add the file")
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        raise SourceError(f"'{name}' cannot be read", why=str(error)) from error
    if len(raw) > limit:
        raise SourceError(f"'{name}' is larger than {limit} bytes")
    return raw
