"""Which repository a device folder belongs to, and what must not come from it."""

from __future__ import annotations

import os
from pathlib import Path

from autoclave.device.schema import FILE
from autoclave.errors import ConfigError


def find_root(folder: Path) -> Path | None:
    """Return the checkout around a folder: the nearest folder with `.git`, else the folder itself.

    None for a folder that is no device's: a release is deployed from anywhere.
    """
    here = folder.resolve()
    checkout = next((each for each in (here, *here.parents) if (each / ".git").exists()), None)
    return checkout or (here if (here / FILE).exists() else None)


def refuse_own(path: Path, folder: Path, what: str) -> None:
    """Refuse an organisation's file that the device repository can change. Raises ConfigError.

    Neither the file nor the link by which it is named may be in the checkout around the device folder.
    """
    root = find_root(folder)
    if root is None:
        return
    for found in (Path(os.path.abspath(path)), path.resolve()):  # noqa: PTH100 -- without following links
        if found.is_relative_to(root) or found.is_relative_to(folder.resolve()):
            raise ConfigError(
                f"the {what} {path} is in the device repository",
                why=f"whoever changes {root} would decide what it is judged by",
                next="keep the organisation's files outside of the repository, such as in /etc/autoclave",
            )
