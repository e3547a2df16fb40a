"""What changed since the last release: components, findings, requirements, tests, policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autoclave.gates.soup import identity
from autoclave.model.declared import Component, Requirement
from autoclave.model.facts import Finding, TestRun
from autoclave.report.inputs import Inputs, Snapshot
from autoclave.report.rows import Change, DifferenceRow
from autoclave.report.schema import Differences


def differences(known: Inputs) -> Differences:
    """Return what changed since the last release, or why that cannot be said."""
    previous = known.evidence.declared.previous
    if known.previous is None:
        return Differences(previous=previous, note=known.previous_note or _no_previous(known))
    here = Snapshot(evidence=known.evidence, policy=known.policy_then)
    return Differences(previous=previous, rows=tuple(compare(known.previous, here)))


def compare(before: Snapshot, after: Snapshot) -> Iterator[DifferenceRow]:
    """Yield every difference, area by area."""
    one, other = before.evidence, after.evidence
    yield from _compare("component", _components(one.components), _components(other.components))
    yield from _compare("finding", _findings(one.findings), _findings(other.findings))
    yield from _compare(
        "requirement", _requirements(one.declared.requirements), _requirements(other.declared.requirements)
    )
    yield from _compare("test", _tests(one.unit_test), _tests(other.unit_test))
    if before.policy is not None and after.policy is not None:
        yield from _compare("policy", _flat(before.policy), _flat(after.policy))


def _no_previous(known: Inputs) -> str:
    if known.evidence.declared.previous:
        return "the last release is not in this store"
    if known.newest("verification") is None:
        return "no verification record names the last release"
    return "this is the first release"


def _compare(area: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[DifferenceRow]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is None:
            yield DifferenceRow(area=area, change=Change.ADDED, what=name, after=new or "")
        elif new is None:
            yield DifferenceRow(area=area, change=Change.GONE, what=name, before=old)
        elif old != new:
            yield DifferenceRow(area=area, change=Change.CHANGED, what=name, before=old, after=new)


def _components(found: tuple[Component, ...]) -> dict[str, str]:
    versions: dict[str, list[str]] = {}
    for each in found:
        versions.setdefault(identity(each), []).append(each.version)
    return {name: ", ".join(sorted(every)) for name, every in versions.items()}


def _findings(found: tuple[Finding, ...]) -> dict[str, str]:
    # Without the version: the same finding in the next version of a package is not a difference.
    return {f"{each.id} in {each.package or each.target}": str(each.severity) for each in found}


def _requirements(declared: tuple[Requirement, ...] | None) -> dict[str, str]:
    return {
        each.id: f"{each.kind}, {each.method}{'' if each.in_scope else ', out of scope'}: {each.text}"
        for each in declared or ()
    }


def _tests(run: TestRun | None) -> dict[str, str]:
    """Return the tests whose names are recorded: the traced ones, and those that did not pass."""
    if run is None:
        return {}
    named = {each.name: each.outcome for each in run.report.traced}
    named |= {each.name: each.outcome for each in run.report.cases}
    return named | {"all that passed": str(run.report.passed)}


def _flat(policy: Mapping[str, Any], path: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in policy.items():
        here = f"{path}{name}"
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{here}.")
        else:
            shown = sorted(map(str, value)) if isinstance(value, list) else value
            found[here] = ", ".join(shown) if isinstance(shown, list) else str(shown).lower()
    return found
