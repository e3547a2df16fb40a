"""Scanners, by name.

Every module here that is not in `HELPERS` is a scanner, and its name is the one that `--scanner` accepts.
There is no other list. A module has a function `create(setup)`, which returns a `Scanner`: see `base`.
"""

from __future__ import annotations

from autoclave.runtime.modules import Plugins
from autoclave.scanners.base import Scanner, Setup

DEFAULT = "trivy"
HELPERS = frozenset(
    {
        "additions",
        "aliases",
        "archives",
        "base",
        "catalogues",
        "cvss",
        "files",
        "images",
        "options",
        "reports",
        "sarif",
    }
)
"""The modules here that are not scanners."""

_PLUGINS = Plugins(package=__name__, folders=__path__, kind="scanner", helpers=HELPERS)


def names() -> tuple[str, ...]:
    """Return the name of every scanner, without importing any."""
    return _PLUGINS.names()


def create(name: str, setup: Setup) -> Scanner:
    """Return the scanner of that name. Raises UsageError for an unknown name."""
    scanner: Scanner = _PLUGINS.load(name).create(setup)
    return scanner
