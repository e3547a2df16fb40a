"""Requirements and their tests, both ways: does every requirement have a passing test on this very image?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from autoclave.model.declared import Declared, Method, Requirement, RequirementKind
from autoclave.model.facts import TestRun, TracedTest
from autoclave.policy.schema import Policy, RequirementsPolicy

_SHOWN = 10  # ids or tests that a reason names
_LONGEST = 160  # characters of a test's name in a reason
_HARMLESS = frozenset({"passed", "flaky", "skipped"})


class RequirementState(StrEnum):
    """The state of a requirement. `NO_EVIDENCE` is one of another method that names no document."""

    VERIFIED = "verified"
    FAILED = "failed"
    SKIPPED = "skipped"
    FLAKY = "flaky"
    UNTESTED = "untested"
    BY_OTHER_METHOD = "by-other-method"
    NO_EVIDENCE = "no-evidence"
    OUT_OF_SCOPE = "out-of-scope"


class TestRow(Struct, frozen=True, kw_only=True):
    """One test that names requirements, on one image; `unknown` are the ids that nothing declares.

    `kind` and `technique` are the kind of test and how it was derived (IEC 62304 5.5.4), in the report's
    words.
    """

    __test__ = False  # not a pytest class

    image: str
    name: str
    outcome: str
    requirements: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    kind: str = ""
    technique: str = ""


class RequirementRow(Struct, frozen=True, kw_only=True):
    """One requirement, the tests that name it, and its state."""

    requirement: Requirement
    tests: tuple[TestRow, ...]
    state: RequirementState


class Matrix(Struct, frozen=True, kw_only=True):
    """The traceability matrix, both ways. `unlinked` counts tests without any requirement."""

    requirements: tuple[RequirementRow, ...]
    tests: tuple[TestRow, ...]
    unlinked: int = 0
    unlinked_names: tuple[str, ...] = ()


def matrix(declared: Declared, runs: Mapping[str, TestRun | None]) -> Matrix:
    """Lay requirements and tests side by side. `runs` maps images to their newest verified test runs.

    A run that says nothing about its image (cut short, another image, no usable report) adds no tests.
    """
    known = {each.id for each in declared.requirements or ()}
    counting = {image: run for image, run in sorted(runs.items()) if run and _is_usable(run)}
    tests = tuple(_row(image, test, known) for image, run in counting.items() for test in run.report.traced)
    by_id: dict[str, list[TestRow]] = {}
    for row in tests:
        for one in dict.fromkeys(row.requirements):
            by_id.setdefault(one, []).append(row)
    unlinked = {image: run.report for image, run in counting.items()}
    return Matrix(
        requirements=tuple(
            RequirementRow(requirement=each, tests=tuple(found), state=_state(each, found))
            for each in declared.requirements or ()
            for found in [by_id.get(each.id, [])]
        ),
        tests=tests,
        unlinked=sum(report.unlinked for report in unlinked.values()),
        unlinked_names=tuple(
            f"{image}: {name}" for image, report in unlinked.items() for name in report.unlinked_names
        ),
    )


def judge(declared: Declared, runs: Mapping[str, TestRun | None], policy: Policy) -> tuple[str, ...]:
    """Return why requirements and tests do not allow a release (IEC 62304 5.7.4, 7.3.3); empty when they do.

    `runs` holds the newest verified run of every image on exactly the digest that is to be released.
    """
    rules = policy.requirements
    traced = matrix(declared, runs)
    reasons = _link_reasons(traced, rules)
    if declared.requirements is None:
        if rules.demanded:
            reasons.append("the device names no requirements file, which the policy demands")
        return tuple(reasons)
    if not any(each.in_scope for each in declared.requirements):
        total = len(declared.requirements)
        reasons.append(
            f"none of the {total} requirements is in scope" if total else "the requirements file is empty"
        )
    return (
        *_coverage_reasons(traced, rules),
        *_evidence_reasons(traced, rules),
        *_unknown_id_reasons(traced, rules),
        *reasons,
    )


def needs_test(requirement: Requirement, rules: RequirementsPolicy) -> bool:
    """Return whether a requirement needs a passing test: risk controls always do, whatever their method."""
    if not requirement.in_scope:
        return False
    if requirement.kind is RequirementKind.RISK_CONTROL:
        return True
    return requirement.method is Method.TEST and requirement.kind in rules.cover


def _is_usable(run: TestRun) -> bool:
    return run.released_layers and not (
        run.differences or run.timed_out or run.oom_killed or run.report.defect
    )


def _row(image: str, test: TracedTest, known: set[str]) -> TestRow:
    return TestRow(
        image=image,
        name=test.name,
        outcome=test.outcome,
        requirements=test.requirements,
        unknown=tuple(one for one in test.requirements if one not in known),
        kind=test.kind,
        technique=test.technique,
    )


def _test_state(tests: Iterable[TestRow]) -> RequirementState:
    """Return what tests alone say. One failure outweighs all that passed."""
    outcomes = {test.outcome for test in tests}
    if not outcomes <= _HARMLESS:
        return RequirementState.FAILED
    for outcome, state in (
        ("passed", RequirementState.VERIFIED),
        ("flaky", RequirementState.FLAKY),
        ("skipped", RequirementState.SKIPPED),
    ):
        if outcome in outcomes:
            return state
    return RequirementState.UNTESTED


def _state(requirement: Requirement, tests: list[TestRow]) -> RequirementState:
    if not requirement.in_scope:
        return RequirementState.OUT_OF_SCOPE
    found = _test_state(tests)
    other = requirement.method is not Method.TEST
    control = requirement.kind is RequirementKind.RISK_CONTROL
    if found is RequirementState.FAILED or not other or (control and found is not RequirementState.VERIFIED):
        return found
    if not requirement.evidence.strip():
        return RequirementState.NO_EVIDENCE
    return found if control else RequirementState.BY_OTHER_METHOD


_WITHOUT_TEST = {
    RequirementState.UNTESTED: "without a test that passed on this image",
    RequirementState.FAILED: "whose test failed",
    RequirementState.SKIPPED: "whose tests were only skipped",
    RequirementState.FLAKY: "whose tests passed only on a repetition",
}


def _coverage_reasons(traced: Matrix, rules: RequirementsPolicy) -> list[str]:
    """Return a reason for each way of lacking a passing test, risk controls apart."""
    lacking: dict[tuple[str, RequirementState], list[str]] = {}
    for row in traced.requirements:
        found = _test_state(row.tests)
        verified = found is RequirementState.VERIFIED or (
            found is RequirementState.FLAKY and rules.allow_flaky
        )
        if needs_test(row.requirement, rules) and not verified:
            kind = "risk control" if row.requirement.kind is RequirementKind.RISK_CONTROL else "requirement"
            lacking.setdefault((kind, found), []).append(_describe(row, found))
    return [
        f"{_count(len(names), kind)} {_WITHOUT_TEST[found]}: {_join(names)}"
        for kind in ("risk control", "requirement")
        for found in _WITHOUT_TEST
        if (names := lacking.get((kind, found)))
    ]


def _describe(row: RequirementRow, found: RequirementState) -> str:
    hazard = f" (hazard {row.requirement.hazard})" if row.requirement.hazard else ""
    blamed = [
        test for test in row.tests if found is not RequirementState.FAILED or test.outcome not in _HARMLESS
    ]
    return f"{row.requirement.id}{hazard}{f' by {blamed[0].name}' if blamed else ''}"


def _evidence_reasons(traced: Matrix, rules: RequirementsPolicy) -> list[str]:
    """Demand a reference to the evidence of every other method than a test."""
    names = [
        f"{each.id} ({each.method})"
        for each in (row.requirement for row in traced.requirements)
        if each.in_scope and each.method is not Method.TEST and not each.evidence.strip()
        if each.kind in rules.cover or each.kind is RequirementKind.RISK_CONTROL
    ]
    if not names:
        return []
    return [
        f"{_count(len(names), 'requirement')} verified by another method without evidence: {_join(names)}"
    ]


def _unknown_id_reasons(traced: Matrix, rules: RequirementsPolicy) -> list[str]:
    """Refuse ids that nothing declares: a typing error there would leave a requirement untested."""
    if not rules.known_ids:
        return []
    first: dict[str, str] = {}
    for row in traced.tests:
        for one in row.unknown:
            first.setdefault(one, row.name)
    if not first:
        return []
    names = [f"{one} by {test}" for one, test in first.items()]
    return [f"tests name {_count(len(names), 'unknown requirement')}: {_join(names)}"]


def _link_reasons(traced: Matrix, rules: RequirementsPolicy) -> list[str]:
    if not rules.linked_tests or not traced.unlinked:
        return []
    listed = _join(list(traced.unlinked_names), traced.unlinked)
    return [f"{_count(traced.unlinked, 'test')} without a requirement, which the policy demands: {listed}"]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _join(names: list[str], total: int = 0) -> str:
    shown = [_cut(name) for name in names[:_SHOWN]]
    more = max(total, len(names)) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
