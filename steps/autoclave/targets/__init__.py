"""Targets: where releases are deployed to.

Every module here but `base` is a target, and its name is the one by which `target` in autoclave.toml calls
it. There is no other list: whoever needs one asks `names`. A module has a function `create`, and names in
`TABLES` which keys of an environment it reads besides `name` and `target`; one that reads
`[environment.settings]` (`base.read_settings`) describes them as a struct `Settings`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoclave.device.schema import Environment
from autoclave.errors import ConfigError
from autoclave.gates.production import judge
from autoclave.model.place import Destination, Place
from autoclave.runtime.modules import Plugins
from autoclave.targets.base import Target

if TYPE_CHECKING:  # a look at names alone needs none of what a context imports
    from autoclave.context import Context

_PLUGINS = Plugins(
    package=__name__, folders=__path__, kind="target", helpers=frozenset({"base"}), error=ConfigError
)


def names() -> tuple[str, ...]:
    """Return the names of all targets, sorted; none of them is imported for it."""
    return _PLUGINS.names()


def find_destination(target: Target, ctx: Context) -> Destination:
    """Return where a target's deployments go, and whether that is production. Raises what `place` raises."""
    return judge_place(target.environment, target.place(), ctx)


def judge_place(environment: Environment, place: Place | None, ctx: Context) -> Destination:
    """Return a place as the destination of an environment, by the policy in force."""
    exempt, declared = ctx.policy.production.exempt, bool(environment.production)
    return judge(environment.name, place, exempt, declared=declared)


def create(environment: Environment, ctx: Context) -> Target:
    """Return the target of an environment; nothing is contacted yet. Raises ConfigError."""
    module = _PLUGINS.load(environment.target)
    refuse_unread(environment)
    target: Target = module.create(environment, ctx)
    return target


def tables_of(name: str) -> frozenset[str]:
    """Return which tables of an environment a target reads. Raises ConfigError when there is no such one."""
    read: frozenset[str] = _PLUGINS.load(name).TABLES
    return read


def given_tables(environment: Environment) -> set[str]:
    """Return which of the tables that are for single targets an environment has."""
    given = {
        "kubernetes": environment.kubernetes is not None,
        "publish": bool(environment.publish),
        "settings": bool(environment.settings),
        "variables": bool(environment.variables),
    }
    return {name for name, is_given in given.items() if is_given}


def refuse_unread(environment: Environment) -> None:
    """Refuse what would be silently ignored: a table that is for another target. Raises ConfigError."""
    for table in sorted(given_tables(environment) - tables_of(environment.target)):
        raise ConfigError(
            f"environment '{environment.name}' has '{table}', which the target '{environment.target}' "
            "does not read",
            why="it would be silently ignored",
            next=f"remove it, or name the target that it is for; targets are: {', '.join(names())}",
        )
