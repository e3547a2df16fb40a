"""What counts in a JUnit report, in the dialects of the tools that people use."""

from __future__ import annotations

import io

import pytest

from autoclave.junit import reader
from autoclave.model.facts import RequirementCount, TestCase, TestFacts


def read(text: str) -> TestFacts:
    return reader.read(io.BytesIO(text.encode()))


def counts(facts: TestFacts) -> tuple[int, int, int, int]:
    assert not facts.defect
    return facts.passed, facts.failed, facts.errors, facts.skipped


PYTEST = """<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest"
errors="1" failures="1" skipped="1" tests="4" time="0.056"><testcase classname="test_a" name="test_ok">
<properties><property name="requirement" value="SRS-001" />
<property name="requirement" value="SRS-002, SRS-003" />
<property name="colour" value="SRS-999" /></properties></testcase>
<testcase classname="test_a" name="test_twice">
<properties><property name="requirement" value="SRS-001" /></properties>
<failure message="assert 0&#10;second line">long text</failure></testcase>
<testcase classname="test_a" name="test_twice">
<properties><property name="requirement" value="SRS-001" /></properties>
<error message="failed on teardown">text</error></testcase>
<testcase classname="test_a" name="test_skip"><skipped type="pytest.skip" message="not now">x</skipped>
</testcase>
</testsuite></testsuites>"""


def test_pytest_report_is_counted_with_the_tests_that_did_not_pass() -> None:
    facts = read(PYTEST)
    assert counts(facts) == (1, 1, 1, 1)
    assert facts.cases == (
        TestCase(name="test_a::test_twice", outcome="failed", message="assert 0", requirements=("SRS-001",)),
        TestCase(
            name="test_a::test_twice",
            outcome="error",
            message="failed on teardown",
            requirements=("SRS-001",),
        ),
        TestCase(name="test_a::test_skip", outcome="skipped", message="not now"),
    )


def test_each_requirement_knows_how_its_tests_went() -> None:
    assert read(PYTEST).requirements == {
        "SRS-001": RequirementCount(passed=1, failed=2),
        "SRS-002": RequirementCount(passed=1),
        "SRS-003": RequirementCount(passed=1),
    }


def test_the_property_that_holds_requirement_ids_can_be_chosen() -> None:
    facts = reader.read([PYTEST.encode()], requirement_property="colour")
    assert facts.requirements == {"SRS-999": RequirementCount(passed=1)}


def test_bare_suite_without_totals_is_counted() -> None:
    assert counts(read('<testsuite><testcase name="a"/><testcase name="b"/></testsuite>')) == (2, 0, 0, 0)


def test_nested_suites_add_up_to_the_totals_of_the_outer_one() -> None:
    text = """<testsuites tests="3"><testsuite name="outer" tests="3"><testsuite name="inner" tests="2">
    <testcase name="a"/><testcase name="b"/></testsuite><testcase name="c"/></testsuite></testsuites>"""
    assert counts(read(text)) == (3, 0, 0, 0)


def test_failure_and_error_in_one_test_count_once_as_error() -> None:
    text = """<testsuite tests="1" failures="1" errors="1"><testcase name="a"><skipped/><failure message="f"/>
    <error message="e"/></testcase></testsuite>"""
    facts = read(text)
    assert counts(facts) == (0, 0, 1, 0)
    assert facts.cases[0].message == "e"


def test_surefire_flaky_test_passed_and_repeatedly_failing_test_failed() -> None:
    text = """<testsuite tests="2" failures="1" errors="0"><testcase classname="T" name="flaky">
    <flakyFailure message="first try"><stackTrace>x</stackTrace></flakyFailure></testcase>
    <testcase classname="T" name="broken"><failure message="f">x</failure>
    <rerunFailure message="f"/></testcase>
    </testsuite>"""
    facts = read(text)
    assert counts(facts) == (1, 1, 0, 0)
    assert [case.name for case in facts.cases] == ["T::broken"]


def test_googletest_attributes_give_requirement_and_tests_that_did_not_run() -> None:
    text = """<testsuites tests="3" failures="0" disabled="1" errors="0"><testsuite name="Pump" tests="3">
    <testcase name="Stops" status="run" result="completed" classname="Pump" requirement="SRS-7"/>
    <testcase name="DISABLED_Slow" status="notrun" result="suppressed" classname="Pump" requirement="SRS-8"/>
    <testcase name="NoSensor" status="run" result="skipped" classname="Pump">
    <skipped message="no sensor"/></testcase>
    </testsuite></testsuites>"""
    facts = read(text)
    assert counts(facts) == (1, 0, 0, 2)
    assert facts.requirements == {"SRS-7": RequirementCount(passed=1), "SRS-8": RequirementCount(skipped=1)}
    assert facts.cases[1].message == "no sensor"


def test_error_of_a_whole_suite_is_not_lost() -> None:
    facts = read(
        '<testsuite name="setup"><error message="database missing"/><testcase name="a"/></testsuite>'
    )
    assert counts(facts) == (1, 0, 1, 0)
    assert facts.cases == (TestCase(name="setup", outcome="error", message="database missing"),)


def test_failure_without_message_shows_the_first_line_of_its_text() -> None:
    facts = read('<testsuite><testcase name="a"><failure>\n  boom\n  more</failure></testcase></testsuite>')
    assert facts.cases[0].message == "boom"


def test_pytest_totals_count_reports_so_subtests_are_no_contradiction() -> None:
    # Written by pytest 9 for one passing test with three subtests.
    text = """<testsuites name="pytest tests"><testsuite name="pytest" errors="0" failures="0" skipped="0"
    tests="4"><testcase classname="test_sub" name="test_sub"/></testsuite></testsuites>"""
    assert counts(read(text)) == (1, 0, 0, 0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_any_declared_encoding_is_read(encoding: str) -> None:
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    text = head + '<testsuite><testcase name="ü"><skipped/></testcase></testsuite>'
    assert reader.read([text.encode(encoding)]).cases[0].name == "ü"


def test_no_tests_is_a_count_of_zero_and_left_to_the_gate() -> None:
    assert read('<testsuites tests="0"/>') == TestFacts()
