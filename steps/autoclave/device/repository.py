"""Which repository a device folder belongs to, and what must not come from it."""

from __future__ import annotations

import os
from pathlib import Path

from autoclave.errors import ConfigError


def find_root(folder: Path) -> Path:
    """Return the checkout around a folder: the nearest folder with `.git`; else the folder itself."""
    here = folder.resolve()
    return next((each for each in (here, *here.parents) if (each / ".git").exists()), here)


def refuse_own(path: Path, folder: Path, what: str) -> None:
    """Refuse an organisation's file that the device repository can change. Raises ConfigError.

    Neither the file nor the link by which it is named may be in the checkout around the device folder.
    """
    root = find_root(folder)
    for found in (Path(os.path.abspath(path)), path.resolve()):  # noqa: PTH100 -- without following links
        if found.is_relative_to(root) or found.is_relative_to(folder.resolve()):
            raise ConfigError(
                f"the {what} {path} is in the device repository",
                why=f"whoever changes {root} would decide what it is judged by",
                next="keep the organisation's files outside of the repository, such as in /etc/autoclave",
            )
