"""The device folder: found from any folder in it, as git finds the top of its work tree."""

from __future__ import annotations

import os
from pathlib import Path

from autoclave.device.schema import FILE
from autoclave.device.source import repository
from autoclave.errors import SourceError


def find_root(folder: Path) -> Path:
    """Return the nearest folder with a device file, at or above a folder; the folder itself without one.

    The search does not leave the git work tree that the folder is in: a file further up counts for nothing.
    Nor does it enter a folder of a user who could not have written here: what is there is not this device's.
    """
    here = folder.resolve()
    if (here / FILE).exists():
        return here
    try:
        checkout = repository.find(here)
        top = checkout.top if checkout else here
        trusted = {0, os.geteuid(), here.stat().st_uid}
        for each in here.parents:
            if not each.is_relative_to(top) or each.stat().st_uid not in trusted:
                break
            if (each / FILE).is_file():
                return each
    except (SourceError, OSError):  # whoever needs the repository says what is wrong with it
        return here
    return here
