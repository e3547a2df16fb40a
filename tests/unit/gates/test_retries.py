"""Reports that hide a retry: class C refuses them, unless the organisation accepts the tool."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from autoclave.gates import unit_test
from autoclave.junit import reader
from autoclave.model.facts import TestFacts, TestRun
from autoclave.policy.schema import Policy
from builders.sample_facts import POLICY, TESTS

HIDDEN = TestFacts(passed=2, hidden_retries={"Mocha": "--retries", "pytest-rerunfailures 14.0": "take 16.7"})


def run_with(report: TestFacts) -> TestRun:
    return replace(TESTS, report=report)


def accepting(*tools: str) -> Policy:
    policy = POLICY["C"]
    return replace(policy, unit_test=replace(policy.unit_test, untraced_retries=frozenset(tools)))


def test_class_c_refuses_and_names_the_tool() -> None:
    (reason,) = unit_test.judge(run_with(HIDDEN), POLICY["C"]).reasons
    assert "Mocha (--retries); pytest-rerunfailures 14.0 (take 16.7)" in reason
    assert "unit-test.untraced-retries" in reason
    for name in "AB":
        assert unit_test.judge(run_with(HIDDEN), POLICY[name]).passed


@pytest.mark.parametrize(
    "tools", [("*",), ("mocha", "pytest-rerunfailures"), ("Mocha", "pytest-rerunfailures 14.0")]
)
def test_the_organisation_accepts_a_tool_by_name(tools: tuple[str, ...]) -> None:
    assert unit_test.judge(run_with(HIDDEN), accepting(*tools)).passed
    assert not unit_test.judge(run_with(HIDDEN), accepting(tools[0])).passed or tools == ("*",)


def test_pytest_passes_class_c_when_its_plugins_are_known() -> None:
    report = '<testsuites><testsuite name="pytest" tests="1">{}<testcase name="a"/></testsuite></testsuites>'
    listed = '<properties><property name="pytest-plugins" value="pytest-xdist 3.8.0"/></properties>'
    for inside, passed in (("", False), (listed, True)):
        facts = reader.read([report.format(inside).encode()])
        assert unit_test.judge(run_with(facts), POLICY["C"]).passed is passed
