"""Programs that `autoclave tools install` put aside for this user.

They are found before those on PATH: one is only installed when PATH has none that is accepted.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from autoclave.runtime.surroundings import base_folder

_NAME = re.compile(r"[a-z][a-z0-9-]*")


def folder() -> Path:
    """Return the folder of this user's programs: a link for each in `bin`, beside it a folder a version."""
    return base_folder("XDG_DATA_HOME", ".local/share") / "autoclave" / "tools"


def find(name: str) -> str | None:
    """Return the path of an installed program; None without one, or when others can write it."""
    path = folder() / "bin" / name
    if not _NAME.fullmatch(name):
        return None
    try:
        found = [path.parent.stat(), path.stat()]
    except OSError:
        return None
    is_private = all(each.st_uid in {0, os.geteuid()} and not each.st_mode & 0o022 for each in found)
    return str(path) if is_private and path.is_file() and os.access(path, os.X_OK) else None
