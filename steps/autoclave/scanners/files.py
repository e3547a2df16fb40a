"""A database file of a scanner in one state: what is read of all of it is read once for each state."""

from __future__ import annotations

import hashlib
import time
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

_CHUNK = 1024 * 1024
_TICK = 1_000_000_000  # ns, far above the tick of any file system's clock


class FileState(Struct, frozen=True, kw_only=True):
    """A file as it was at some time: equal states have the same content. Sizes in bytes, times in ns."""

    path: Path
    device: int
    inode: int
    size: int
    modified: int
    changed: int  # unlike `modified`, nobody can set it
    seen: int = 0  # when it was so young that it could change again at the same time; such a state is unique


def state_of(path: Path) -> FileState:
    """Return the state of a file. Raises OSError."""
    stat, now = path.stat(), time.time_ns()
    return FileState(
        path=path,
        device=stat.st_dev,
        inode=stat.st_ino,
        size=stat.st_size,
        modified=stat.st_mtime_ns,
        changed=stat.st_ctime_ns,
        seen=now if now - stat.st_ctime_ns < _TICK else 0,
    )


@lru_cache(maxsize=8)
def digest_file(file: FileState) -> str:
    """Return the digest of a file. Raises OSError."""
    total = hashlib.sha256()
    with file.path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            total.update(chunk)
    return f"sha256:{total.hexdigest()}"
