"""The device repository as git sees it: commit, its time, and whether the tree is clean."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from autoclave.device.schema import resolve_inside
from autoclave.errors import SourceError, ToolError
from autoclave.runtime.shell import Shell

_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false")


class Commit(Struct, frozen=True):
    """A commit (empty outside git), its time (seconds since 1970) and whether the folder differs from it."""

    id: str
    time: int
    dirty: bool


def read_commit(shell: Shell, folder: Path) -> Commit:
    """Read the commit that is checked out in a folder; only changes below the folder make it dirty.

    Raises SourceError when git is missing or refuses.
    """
    argv = [*_GIT, "-C", str(folder)]
    try:
        asked = shell.run([*argv, "log", "-1", "--format=%H %ct"], ok=(0, 128))
        if asked.code:
            said = asked.err.decode("utf-8", "replace")
            if "dubious ownership" in said:
                raise SourceError(
                    f"git refuses to read {folder}", why=said.splitlines()[0], next=said.strip()
                )
            return Commit("", 0, dirty=True)
        status = shell.run([*argv, "status", "--porcelain", "-z", "--", "."]).out
    except ToolError as error:
        raise SourceError("git cannot read the commit", why=error.why or error.what) from error
    commit, time = asked.out.decode().split()
    return Commit(commit, int(time), dirty=bool(status.strip(b"\0")))


def digest_of_files(folder: Path, files: Iterable[Path]) -> str:
    """Return one digest over names, kinds, executable bits and contents of files below a folder."""
    total = hashlib.sha256()
    for relative in files:
        path = folder / relative
        name = relative.as_posix().encode("utf-8", "surrogateescape")
        if path.is_symlink():
            kind, body = b"l", str(path.readlink()).encode("utf-8", "surrogateescape")
        elif path.is_file():
            with path.open("rb") as file:
                body = hashlib.file_digest(file, "sha256").digest()
            kind = b"x" if path.stat().st_mode & 0o100 else b"f"
        else:
            continue
        for part in (name, kind, body):
            total.update(len(part).to_bytes(8, "big") + part)
    return "sha256:" + total.hexdigest()


def files_below(folder: Path, name: str) -> list[Path]:
    """Return a file, or all files below a folder, relative to the device folder. Raises SourceError."""
    start = resolve_inside(folder, name)
    if not start.exists():
        raise SourceError(f"'{name}' does not exist", next="fix the path in autoclave.toml")
    found = sorted(start.rglob("*")) if start.is_dir() else [start]
    return [path.relative_to(folder.resolve()) for path in found if path.is_file()]
