"""Which Autoclave this is: its version, and the commit that it was built from.

A wheel has both in the file BUILT, which its build writes (setup/wheel/hook.py). In a checkout the version is
pyproject.toml's, its only place, and the commit is the one that is checked out.
"""

from __future__ import annotations

import re
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
BUILT = "BUILT"
"""The file of a wheel: version, commit and the day of the commit, in one line."""

CHECKOUT = PACKAGE.parents[1]
"""The folder of the repository, where this is not installed from a wheel."""
_VERSION = re.compile(r'^version = "([^"\n]+)"$', re.MULTILINE)


def read_built() -> tuple[str, str, str] | None:
    """Return version, commit and day of a wheel; None where there is no such file, or another one."""
    try:
        words = (PACKAGE / BUILT).read_text("utf-8").split()
    except (OSError, ValueError):
        return None
    return (words[0], words[1], words[2]) if len(words) == 3 else None


def find_version() -> str:
    """Return the version: the wheel's, else the checkout's, else that of the installed package."""
    if built := read_built():
        return built[0]
    try:
        found = _VERSION.search((CHECKOUT / "pyproject.toml").read_text("utf-8"))
    except (OSError, ValueError):
        found = None
    return found[1] if found else _read_installed()


def _read_installed() -> str:
    from importlib import metadata

    try:
        return metadata.version("autoclave")
    except metadata.PackageNotFoundError:
        return "unknown"
