"""This very repository as a device: what is tracked here, as one commit of a repository of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from builders.devices import ROOT, Repository, git


@contextmanager
def project(folder: Path) -> Iterator[Repository]:
    """Make a repository of this one's files, as they are now."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    device = folder / "project"
    for name in filter(None, listed.split("\0")):
        (device / name).parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # removed, but not committed; or a file that a test beside us had
            shutil.copy2(ROOT / name, device / name)
    repository = Repository(device, folder / "home")
    git(device, "init", "-q", "-b", "main")
    repository.commit()
    try:
        yield repository
    finally:
        repository.remove()
