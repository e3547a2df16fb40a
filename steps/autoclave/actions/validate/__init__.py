"""Everything that the files of a device alone show to be wrong, at once: nothing is built or started."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from autoclave.actions.validate.declared import check_declared
from autoclave.actions.validate.findings import Finding, Findings, Level
from autoclave.actions.validate.images import check_images
from autoclave.actions.validate.places import check_places
from autoclave.device import device_file
from autoclave.device.schema import FILE, Device
from autoclave.errors import AutoclaveError, ConfigError, tree
from autoclave.policy.load import effective_policy

__all__ = ["Finding", "Level", "check", "combine", "format_finding"]


def check(folder: Path, organisation: str, today: date) -> list[Finding]:
    """Return what the files of a device folder show, the gravest first; `organisation` is a policy file."""
    seen = device_file.read(folder)
    found = Findings()
    for error in seen.errors:
        found.add_error(error)
    if seen.device:
        _check_device(folder, seen.device, organisation, today, found)
    return sorted(found.found, key=lambda each: list(Level).index(each.level))


def _check_device(folder: Path, device: Device, organisation: str, today: date, found: Findings) -> None:
    check_places(folder, device, found)
    with found.part("policy"):
        policy = effective_policy(device, organisation)
        check_images(folder, device, policy, found)
        check_declared(folder, device, policy, today, found)


def combine(bad: Sequence[Finding]) -> AutoclaveError:
    """Return one error for all that must be fixed: of their kind, if they are of one."""
    names = {each.kind for each in bad}
    kind = next((each for each in tree() if names == {each.__name__}), ConfigError)
    if len(bad) == 1:
        return kind(bad[0].what, why=bad[0].why, next=bad[0].next)
    lines = [line for number, each in enumerate(bad, 1) for line in format_finding(each, f"{number}.")]
    return kind(
        f"{FILE} and what it names: {len(bad)} mistakes",
        why="\n".join(lines),
        next="fix all of them; 'autoclave validate' lists them again",
    )


def format_finding(each: Finding, mark: str) -> list[str]:
    """Return a finding as lines: what and why, then what to do."""
    indent = " " * (len(mark) + 1)
    lines = f"{mark} {each.what}".split("\n")
    lines += [f"{indent}{line}" for line in each.why.split("\n") if line]
    return lines + [f"{indent}→ {line}" for line in each.next.split("\n") if line]
