"""Checks of files: the keys, the repository, the disk, and how much of it Autoclave uses."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from autoclave.cli.commands.doctor.subject import Check, Subject
from autoclave.context import STATE, Context
from autoclave.device.source import repository
from autoclave.runtime import programs
from autoclave.runtime.surroundings import base_folder
from autoclave.scanners.options import ScannerOptions, create
from autoclave.signers import development
from autoclave.store.base import is_address

_LEAST_DISK = 5 << 30  # bytes: an image, its copy in the store, and a scanner's database
_HOME = "set HOME to a folder that can be written, or XDG_CONFIG_HOME, XDG_CACHE_HOME and XDG_DATA_HOME"


def check_keys() -> Check:
    """Check the development keys: private, or able to be made."""
    folder = development.folder()
    paths = [folder / f"{name}.pem" for name in (development.STEPS, development.RELEASE)]
    opened = [path for path in paths if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    if opened:
        return Check("keys", fine=False, seen=f"{opened[0]} is open to others", fix=f"chmod 600 {opened[0]}")
    there = sum(path.exists() for path in paths)
    if there < len(paths) and not _can_write(folder):
        return Check("keys", fine=False, seen=f"no development keys can be made in {folder}", fix=_HOME)
    return Check("keys", fine=True, seen=f"{there} of 2 development keys in {folder}, made at first use")


def _can_write(folder: Path) -> bool:
    """Return whether a folder can be written, or made."""
    there = next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))
    return os.access(there, os.W_OK | os.X_OK)


def check_git(subject: Subject, ctx: Context) -> Check:
    """Check that git is there, and that there is a commit, which a device's records name."""
    if ctx.shell.which("git") is None:
        return Check("git", fine=False, seen="git is missing", fix="autoclave tools install git")
    if subject.device is None and repository.find(ctx.folder) is None:
        return Check("git", fine=True, seen="installed; no repository here")
    commit = ctx.source.commit
    if not commit:
        fix = "git init, git add, git commit: records name it"
        return Check("git", fine=False, seen="no commit", fix=fix)
    return Check("git", fine=True, seen=f"commit {commit[:12]}")


def check_disk(options: ScannerOptions, ctx: Context) -> list[Check]:
    """Check the space that is left, and show what store and caches use."""
    free = shutil.disk_usage(ctx.folder).free
    disk = Check("disk", fine=free >= _LEAST_DISK, seen=f"{_format(free)} free", fix="free 5 GiB")
    state = ctx.folder / STATE
    store = ctx.options.store
    seen = f"{_format(measure(state))} in {state}"
    if is_address(store):
        seen = f"{store}, not measured; {seen}"
    elif store:
        seen = f"{_format(measure(Path(store)))} in {store}; {seen}"
    folders = _list_caches(options, ctx)
    caches = ", ".join(f"{_format(measure(each))} in {each}" for each in folders) or "none"
    return [
        disk,
        Check("store", fine=True, seen=seen),
        Check("caches", fine=True, seen=caches),
    ]


def _list_caches(options: ScannerOptions, ctx: Context) -> list[Path]:
    """Return the folders of this user that Autoclave fills, those that exist."""
    scanners = create(options, (), ctx.shell)
    named = [getattr(each, "cache", None) for each in scanners]
    ours = [base_folder("XDG_CACHE_HOME", ".cache") / "autoclave", programs.folder()]
    found = [each.resolve() for each in (*named, *ours) if isinstance(each, Path) and each.is_dir()]
    unique = list(dict.fromkeys(found))
    return [
        each for each in unique if not any(each != other and each.is_relative_to(other) for other in unique)
    ]


def measure(folder: Path) -> int:
    """Return the bytes of a folder's files. No link is followed; what cannot be read is left out."""
    total = 0
    if folder.is_symlink():  # a repository could have committed it: it would lead anywhere
        return total
    for above, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(above, name)).st_size  # noqa: PTH118 -- many files
            except OSError:
                continue
    return total


def _format(size: int) -> str:
    """Return a number of bytes for a person."""
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 30 else f"{size / (1 << 20):.0f} MiB"
