"""What the process finds around itself: home folder, temporary folder, encoding.

What cannot be used is an error before anything is built.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from autoclave.errors import MachineError

_NOWHERE = Path("/nonexistent")  # Debian's home of those who have none


def home() -> Path:
    """Return this user's home folder; one that does not exist when there is none, never a relative one."""
    try:
        found = Path.home()
    except RuntimeError:
        return _NOWHERE
    return found if found.is_absolute() else _NOWHERE


def base_folder(variable: str, otherwise: str) -> Path:
    """Return a base folder of the XDG specification: a relative path in its variable does not count."""
    named = os.environ.get(variable, "")
    return Path(named) if Path(named).is_absolute() else home() / otherwise


def docker_folder() -> Path:
    """Return the folder of the Docker client's configuration, also of its logins."""
    named = os.environ.get("DOCKER_CONFIG")
    return Path(named).absolute() if named else home() / ".docker"


def check(environ: Mapping[str, str]) -> None:
    """Raise MachineError for a home, a temporary folder or an encoding with which a step would fail later."""
    if not Path(environ.get("HOME", "/")).is_absolute():
        raise MachineError(
            f"HOME is '{environ['HOME']}', which is not an absolute path",
            why="tools would look for their settings in the device repository",
            next="unset HOME, or set it to a folder",
        )
    encoding = sys.getfilesystemencoding()
    if encoding.lower() not in {"utf-8", "utf8"}:
        raise MachineError(
            f"the locale's encoding is {encoding}, not UTF-8",
            why="names of files would be other ones than on other machines",
            next="export LC_ALL=C.UTF-8, or PYTHONUTF8=1",
        )
    named = environ.get("TMPDIR", "")
    folder = Path(named)
    usable = folder.is_absolute() and folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    if named and not usable:
        raise MachineError(
            f"TMPDIR is '{named}', which is no folder that can be written",
            why="tools would fail, or write into the device repository",
            next="unset TMPDIR, or set it to a folder by its absolute path",
        )
    import tempfile

    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise MachineError(
            "there is no temporary folder", why=str(error), next="set TMPDIR to a folder that can be written"
        ) from error


def print_any_text() -> None:
    """Let both output streams print what their encoding lacks as an escape, and not fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
