"""Scanners, by name.

Every module here that is not in `HELPERS` is a scanner, and its name is the one that `--scanner` accepts.
There is no other list. A module has a function `create(setup)`, which returns a `Scanner`: see `base`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module

from autoclave.errors import UsageError
from autoclave.runtime.toml import nearest
from autoclave.scanners.base import Scanner, Setup

DEFAULT = "trivy"
HELPERS = frozenset({"aliases", "base", "options", "reports"})
"""The modules here that are not scanners."""


def names() -> tuple[str, ...]:
    """Return the name of every scanner, without importing any."""
    found = {module.name for module in pkgutil.iter_modules(__path__)} - HELPERS
    return tuple(sorted(name.replace("_", "-") for name in found))


def create(name: str, setup: Setup) -> Scanner:
    """Return the scanner of that name. Raises UsageError for an unknown name."""
    known = names()
    if name not in known:
        raise UsageError(f"unknown scanner '{name}'", next=nearest(name, known))
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    make: Callable[[Setup], Scanner] = module.create
    return make(setup)
