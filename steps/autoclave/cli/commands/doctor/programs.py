"""Checks of the other programs: those that this device's environments need."""

from __future__ import annotations

from autoclave import tools
from autoclave.cli.commands.doctor.subject import Check, Subject
from autoclave.context import Context
from autoclave.device.schema import Device
from autoclave.tools.examine import Here, State, examine

_CLUSTERS = frozenset({"kubernetes", "openshift"})


def find_needed(device: Device) -> dict[str, str]:
    """Return the programs that a device needs besides engine, git and scanner, and which environment does."""
    needed: dict[str, str] = {}
    for each in device.environment:
        if each.target in _CLUSTERS:
            needed.setdefault("kubectl", each.name)
            if each.kubernetes and each.kubernetes.chart:
                needed.setdefault("helm", each.name)
    return needed


def check_programs(subject: Subject, ctx: Context) -> list[Check]:
    """Check the programs that the device needs; none is enough for most devices."""
    needed = find_needed(subject.device) if subject.device else {}
    return [_check(examine(tools.find(name), ctx.shell), by) for name, by in needed.items()]


def _check(here: Here, environment: str) -> Check:
    name, accepted = here.tool.name, here.tool.accepted
    fix = f"autoclave tools install {name}"
    if here.state is State.MISSING:
        return Check(name, fine=False, seen=f"missing: environment '{environment}' needs it", fix=fix)
    version = here.version or here.state
    untested = "" if here.state is State.ACCEPTED else f", not one of the versions tested ({accepted})"
    return Check(name, fine=here.may_be_used, seen=f"{version} {here.path}{untested}", fix=fix)
