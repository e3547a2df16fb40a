"""Scanners, by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from autoclave.errors import UsageError
from autoclave.scanners.base import Scanner

_SCANNERS = {"trivy": "autoclave.scanners.trivy:Trivy"}


def create(name: str, *, program: str, cache: Path) -> Scanner:
    """Return the scanner of that name; raise UsageError when there is none.

    `program` is its command (a name or a path), `cache` the folder that holds its database.
    """
    if name not in _SCANNERS:
        raise UsageError(f"there is no scanner {name!r}", next=f"choose one of: {', '.join(_SCANNERS)}")
    module, factory = _SCANNERS[name].split(":")
    make: Callable[..., Scanner] = getattr(import_module(module), factory)
    return make(program=program, cache=cache)
