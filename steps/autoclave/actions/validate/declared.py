"""What is declared beside the images: requirements, SOUP register, reports, and what the class demands."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from autoclave.actions.validate.findings import Findings, Level
from autoclave.device import requirements, soup_register
from autoclave.device.requirements import links
from autoclave.device.schema import FILE, Device
from autoclave.gates import soup
from autoclave.policy.schema import Policy
from autoclave.runtime.folder import Folder, Kind

_SHOWN = 5


def check_declared(folder: Path, device: Device, policy: Policy, today: date, found: Findings) -> None:
    """Add what is wrong with what the device declares, and what its class demands and is not there."""
    _check_requirements(folder, device, policy, found)
    _check_register(folder, device, policy, today, found)
    if device.traceability.links:
        with found.part("traceability.links"):
            links.read(folder, device.traceability.links)
    _check_reports(folder, device, policy, found)


def _check_requirements(folder: Path, device: Device, policy: Policy, found: Findings) -> None:
    name, key = device.device.requirements, "device.requirements"
    if not name:
        if policy.requirements.demanded:
            found.add(
                Level.GAP,
                key,
                "the device names no requirements",
                why=f"class {device.device.safety_class} releases nothing without them",
                then='add requirements = "requirements.csv" to [device]; the file begins with: id,text,kind',
            )
        return
    with found.part(key):
        ignored = device.traceability.not_requirements
        listed = requirements.read(folder, name, ignored=ignored)
        if not any(each.in_scope for each in listed):
            found.add(
                Level.GAP,
                key,
                f"{name}: none of its {len(listed)} requirements is in scope"
                if listed
                else f"{name} is empty",
                why="a release shows that its requirements are met",
                then="add the requirements of this version",
            )


def _check_register(folder: Path, device: Device, policy: Policy, today: date, found: Findings) -> None:
    name, key = device.device.soup, "device.soup"
    if not name:
        if policy.soup.demanded:
            found.add(
                Level.GAP,
                key,
                "the device names no SOUP register",
                why=f"class {device.device.safety_class} releases nothing without it",
                then="add soup = \"soup.toml\" to [device]; 'autoclave soup' writes a first one after a scan",
            )
        return
    with found.part(key):
        register = soup_register.read(folder, name)
        bad = [(each, why) for each in register if (why := soup.defect(each, policy.soup, today))]
        for entry, why in bad[:_SHOWN]:
            found.add(
                Level.NOTE,
                key,
                f"{name}: {entry.title}: {why}",
                why="the release gate closes when the image has this component",
                then="review the entry",
            )
        if len(bad) > _SHOWN:
            found.add(Level.NOTE, key, f"{name}: {len(bad) - _SHOWN} more entries as these")


def _check_reports(folder: Path, device: Device, policy: Policy, found: Findings) -> None:
    for index, each in enumerate(device.report):
        with found.part(f"report[{index}].path"):
            if Folder(folder).kind(each.path) is not Kind.FILE:
                found.add(
                    Level.ERROR,
                    f"report[{index}].path",
                    f"the report '{each.path}' of {each.tool} is not a file",
                    then=f"fix report.path in {FILE}, or commit the report",
                )
    missing = sorted(policy.scan.reports - {each.tool for each in device.report})
    for tool in missing:
        found.add(
            Level.GAP,
            "report",
            f"the device names no report of {tool}",
            why="the policy demands one of every scan (scan.reports)",
            then=f'add [[report]] with tool = "{tool}" and its path',
        )
