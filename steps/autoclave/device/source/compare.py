"""How a checkout differs from its commit, by the files themselves: for a note, never for a verdict."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_CHUNK = 1 << 20
_MOST_READ = 64 << 20  # bytes that are compared; of what is beyond, only sizes are


def count_differences(committed: Path, checkout: Path) -> int:
    """Return how many files of the commit are missing in a checkout, or differ there; no link is followed."""
    found, left = 0, _MOST_READ
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(committed / folder) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append(name)
                    continue
                about = entry.stat(follow_symlinks=False)
                left -= about.st_size
                found += _differs(committed / name, about, checkout / name, is_read=left >= 0)
    return found


def _differs(committed: Path, about: os.stat_result, there: Path, *, is_read: bool) -> bool:
    try:
        other = there.lstat()
        if stat.S_ISLNK(about.st_mode):
            return not stat.S_ISLNK(other.st_mode) or committed.readlink() != there.readlink()
        if not stat.S_ISREG(other.st_mode) or other.st_size != about.st_size:
            return True
        if (other.st_mode ^ about.st_mode) & 0o100:
            return True
        return is_read and not _is_same(committed, there)
    except OSError:
        return True


def _is_same(one: Path, other: Path) -> bool:
    opened = os.open(other, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(opened, "rb", buffering=0) as theirs, one.open("rb", buffering=0) as ours:
        while chunk := ours.read(_CHUNK):
            if theirs.read(_CHUNK) != chunk:
                return False
    return True
