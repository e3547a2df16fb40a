"""What must not come from the repository that a device folder belongs to."""

from __future__ import annotations

import os
from pathlib import Path

from autoclave.device.schema import FILE
from autoclave.device.source import repository
from autoclave.errors import ConfigError


def refuse_own(path: Path, folder: Path, what: str) -> None:
    """Refuse an organisation's file that the device repository can change. Raises ConfigError, SourceError.

    Neither the file nor the link by which it is named may be in the checkout around the device folder. A
    folder that is no device's and in no checkout refuses nothing: a release is deployed from anywhere.
    """
    here = folder.resolve()
    checkout = repository.find(here)
    if checkout is None and not (here / FILE).exists():
        return
    root = checkout.top if checkout else here
    for found in (Path(os.path.abspath(path)), path.resolve()):  # noqa: PTH100 -- without following links
        if found.is_relative_to(root):
            raise ConfigError(
                f"the {what} {path} is in the device repository",
                why=f"whoever changes {root} would decide what it is judged by",
                next="keep the organisation's files outside of the repository, such as in /etc/autoclave",
            )
