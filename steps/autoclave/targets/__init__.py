"""Targets: where releases are deployed to.

Every module here but `base` is a target, and its name is the one by which `target` in autoclave.toml calls
it. There is no other list: whoever needs one asks `names`. A module has a function `create`; one that reads
`[environment.settings]` (`base.read_settings`) describes them as a struct `Settings`.
"""

from __future__ import annotations

import importlib
import pkgutil

from autoclave.context import Context
from autoclave.device.schema import Environment
from autoclave.errors import ConfigError
from autoclave.runtime.toml import nearest
from autoclave.targets.base import Target

_SHARED = "base"


def names() -> tuple[str, ...]:
    """Return the names of all targets, sorted; none of them is imported for it."""
    return tuple(sorted(each.name for each in pkgutil.iter_modules(__path__) if each.name != _SHARED))


def create(environment: Environment, ctx: Context) -> Target:
    """Return the target of an environment; nothing is contacted yet. Raises ConfigError."""
    name, known = environment.target, names()
    if name not in known:
        raise ConfigError(f"there is no target '{name}'", next=nearest(name, known))
    module = importlib.import_module(f"{__name__}.{name}")
    if environment.settings and not hasattr(module, "Settings"):
        raise ConfigError(
            f"environment '{environment.name}' has settings, but the target '{name}' reads none",
            next="remove [environment.settings] from autoclave.toml",
        )
    target: Target = module.create(environment, ctx)
    return target
