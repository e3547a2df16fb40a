"""Container engines: what builds, runs, saves and loads images.

Every module here but `base` and `prune` is an engine, and its name is the one that `--engine` takes. There
is no other list. A module has a function `create(shell, command)`, which connects and returns an `Engine`.
"""

from __future__ import annotations

import importlib
import pkgutil

from autoclave.engines.base import Engine
from autoclave.errors import UsageError
from autoclave.runtime.shell import Shell
from autoclave.runtime.toml import nearest

_SHARED = {"base", "prune"}


def names() -> tuple[str, ...]:
    """Return the names of all engines, sorted; none of them is imported for it."""
    return tuple(sorted(each.name for each in pkgutil.iter_modules(__path__) if each.name not in _SHARED))


def create(name: str, shell: Shell, command: str = "") -> Engine:
    """Connect to the engine of that name. Raises UsageError for an unknown name, EngineError.

    `command` is the engine's command line client; empty: the best one on PATH.
    """
    known = names()
    if name not in known:
        raise UsageError(f"there is no engine '{name}'", next=nearest(name, known))
    engine: Engine = importlib.import_module(f"{__name__}.{name}").create(shell, command)
    return engine
