"""Container engines: what builds, runs, saves and loads images.

Every module here but `base` and `removal` is an engine, and its name is the one that `--engine` takes. There
is no other list. A module has a function `create(shell, command)`, which connects and returns an `Engine`.
"""

from __future__ import annotations

from autoclave.engines.base import Engine
from autoclave.runtime.modules import Plugins
from autoclave.runtime.shell import Shell

_PLUGINS = Plugins(package=__name__, folders=__path__, kind="engine", helpers=frozenset({"base", "removal"}))


def names() -> tuple[str, ...]:
    """Return the names of all engines, sorted; none of them is imported for it."""
    return _PLUGINS.names()


def create(name: str, shell: Shell, command: str = "") -> Engine:
    """Connect to the engine of that name. Raises UsageError for an unknown name, EngineError.

    `command` is the engine's command line client; empty: the best one on PATH.
    """
    engine: Engine = _PLUGINS.load(name).create(shell, command)
    return engine
