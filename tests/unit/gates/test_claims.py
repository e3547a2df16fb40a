"""The late gates ask for requirements, waivers that hold today, and approvals, each with its own reason."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from autoclave.gates import deploy, release
from autoclave.gates.deploy import Candidate
from autoclave.model.facts import TestFacts
from builders.sample_facts import APPROVALS, EVIDENCE, NOW, POLICY, TESTS, THEN
from builders.sample_waiver import FACTS, SIGNED, WAIVER

RELEASED = Candidate(
    evidence=replace(EVIDENCE, scans=(FACTS,), waivers=(SIGNED,)),
    summary="PASSED",
    verified=THEN,
    signature="",
    production=True,
    target="docker",
    approvals=APPROVALS,
)


def test_a_requirement_without_its_test_closes_the_release_gate() -> None:
    untested = replace(TESTS, report=TestFacts(passed=3))
    evidence = replace(EVIDENCE, unit_test=untested)
    for policy in POLICY.values():
        (reason,) = release.judge(evidence, policy, NOW).reasons
        assert "R-1" in reason
        # A test of another image of the device that was released together counts.
        runs = {"app": untested, "other": TESTS}
        assert release.judge(replace(evidence, runs=runs), policy, NOW).passed


def test_production_demands_its_quorum_and_a_test_environment_none() -> None:
    assert deploy.judge(RELEASED, POLICY["C"], NOW).passed
    alone = replace(RELEASED, approvals=APPROVALS[:1])
    assert deploy.judge(alone, POLICY["B"], NOW).passed
    (reason,) = deploy.judge(alone, POLICY["C"], NOW).reasons
    assert reason == "1 approval by engineering demanded, 0 given"
    assert deploy.judge(replace(alone, production=False), POLICY["C"], NOW).passed


def test_a_waiver_must_hold_on_the_day_of_the_deployment() -> None:
    ended = replace(SIGNED, waiver=replace(WAIVER, expires=NOW - timedelta(minutes=30)))
    released = replace(RELEASED, evidence=replace(RELEASED.evidence, waivers=(ended,)))
    assert release.judge(released.evidence, POLICY["C"], THEN).passed, "it held when it was verified"
    (reason,) = deploy.judge(released, POLICY["C"], NOW).reasons
    assert "waiver W-1 does not count: it expired on" in reason
