"""What a JUnit report says of requirements: tests that name them or none, and what passed when repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave.device.requirements import links
from autoclave.junit import reader
from autoclave.model.facts import RequirementCount, TestFacts, TracedTest

SAMPLES = Path(__file__).parents[2] / "fixtures/junit"


def sample(name: str, *, links_of: dict[str, tuple[str, ...]] | None = None) -> TestFacts:
    output = links_of or {}
    with (SAMPLES / f"{name}.xml").open("rb") as stream:
        return reader.read(stream, links=lambda test: output.get(test, ()))


def outcomes(facts: TestFacts) -> dict[str, str]:
    assert not facts.defect
    return {each.name: each.outcome for each in facts.traced}


def read(*cases: str, root: str = "<testsuite>") -> TestFacts:
    end = "</testsuite></testsuites>" if root.startswith("<testsuites") else "</testsuite>"
    return reader.read([f"{root}{''.join(cases)}{end}".encode()])


def case(name: str, inside: str = "", ids: str = "R-1") -> str:
    said = f'<properties><property name="requirement" value="{ids}"/></properties>' if ids else ""
    return f'<testcase classname="t" name="{name}">{said}{inside}</testcase>'


FAILURE = '<failure message="no"/>'
PYTEST = '<testsuites name="pytest tests"><testsuite name="pytest" tests="9">'


def test_googletest_requirements_and_unlinked_tests_are_read() -> None:
    facts = sample("googletest")
    assert outcomes(facts) == {"Pump::Stops": "passed", "Pump::Alarms": "failed", "Pump::NoSensor": "skipped"}
    assert facts.unlinked == 4
    assert facts.unlinked_names[:2] == ("Pump::DISABLED_Slow", "Pump::Counts")


def test_ctest_has_no_properties_and_is_linked_by_name(tmp_path: Path) -> None:
    assert sample("ctest").unlinked == 4
    (tmp_path / "links.toml").write_text(
        '[[link]]\ntest = "pump.stops"\nrequirements = ["SRS-1", "SRS-2"]\n'
        '[[link]]\ntest = "pump.*"\nrequirements = ["SRS-9"]\n'
    )
    output = links.read(tmp_path, "links.toml")
    with (SAMPLES / "ctest.xml").open("rb") as stream:
        facts = reader.read(stream, links=output)
    assert facts.traced[0] == TracedTest(
        name="pump.stops::pump.stops", outcome="passed", requirements=("SRS-1", "SRS-2", "SRS-9")
    )
    assert (len(facts.traced), facts.unlinked) == (4, 0)


def test_surefire_repetitions_are_flaky() -> None:
    one = {f"pump.PumpTest::{name}": ("SRS-1",) for name in ("alarms", "breaks", "stops", "slow")}
    facts = sample("surefire", links_of=one)
    assert outcomes(facts) == {
        "pump.PumpTest::alarms": "flaky",
        "pump.PumpTest::breaks": "failed",
        "pump.PumpTest::slow": "skipped",
        "pump.PumpTest::stops": "passed",
    }
    assert (facts.passed, facts.failed, facts.skipped) == (4, 1, 1)
    assert facts.flaky == ("pump.PumpTest::alarms",)
    assert facts.unlinked_names == ("pump.PumpTest::bounded(int)[1]", "pump.PumpTest::bounded(int)[2]")


def test_surefires_wrong_totals_excuse_no_missing_test() -> None:
    text = '<testsuite tests="3">' + case("a", '<flakyFailure message="x"/>') + "</testsuite>"
    assert "says 3 tests, contains 1" in reader.read([text.encode()]).defect


def test_pytest_rerunfailures_writes_attempts_as_passed_tests() -> None:
    facts = sample("pytest-rerunfailures")
    assert outcomes(facts) == {
        "rr.test_r::test_flaky": "flaky",
        "rr.test_r::test_ok": "passed",
        "rr.test_r::test_bad": "failed",
    }
    assert (facts.passed, facts.failed, facts.flaky) == (2, 1, ("rr.test_r::test_flaky",))
    assert facts.requirements == {"R-1": RequirementCount(passed=2, failed=1)}


def test_a_failed_test_that_passes_later_in_its_suite_was_repeated() -> None:
    facts = read(case("a", FAILURE), case("b"), case("a", FAILURE), case("a"))
    assert outcomes(facts) == {"t::b": "passed", "t::a": "flaky"}
    assert (facts.passed, facts.failed, facts.cases) == (2, 0, ())
    assert facts.requirements == {"R-1": RequirementCount(passed=2)}


@pytest.mark.parametrize(
    "cases",
    [
        [case("a"), case("a", FAILURE)],
        [case("a", FAILURE), case("b")],
        [case("a", FAILURE), case("a", "<skipped/>")],
        [case("x" * 600, FAILURE), case("x" * 599 + "y")],
        [case("a&#10;b", FAILURE), case("a&#10;c")],
        [case("a&#133;", FAILURE), case("a ")],
    ],
)
def test_nothing_else_redeems_a_failure(cases: list[str]) -> None:
    assert read(*cases).failed == 1
    assert read(*cases, root=PYTEST).failed == 1


def test_a_failure_in_another_suite_is_another_test() -> None:
    between = "</testsuite><testsuite>"
    facts = read(case("a", FAILURE), between, case("a"), root="<testsuites><testsuite>")
    assert (facts.passed, facts.failed) == (1, 1)


def test_an_error_outside_any_test_is_never_redeemed() -> None:
    facts = reader.read(
        [b'<testsuite name="a"><error message="no database"/><testcase name="a"/></testsuite>']
    )
    assert (facts.errors, facts.passed, facts.unlinked) == (1, 1, 1)


def test_the_same_name_passing_twice_is_a_repetition_for_pytest_alone() -> None:
    assert read(case("a"), case("a")).passed == 2
    facts = read(case("a"), case("a"), root=PYTEST)
    assert (facts.passed, facts.flaky) == (1, ("t::a",))


def test_a_hundred_unlinked_tests_are_named() -> None:
    facts = read(*(case(str(number), ids="") for number in range(250)))
    assert (facts.unlinked, len(facts.unlinked_names), facts.unlinked_names[-1]) == (250, 100, "t::99")


def test_a_long_list_leaves_out_what_changes_no_requirement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoclave.junit.totals._MOST_TRACED", 2)
    cases = [case(str(number)) for number in range(5)]
    facts = read(*cases, case("f", FAILURE), case("n", ids="R-2"), case("m", ids="R-2"))
    assert [each.name for each in facts.traced] == ["t::0", "t::1", "t::f", "t::n"]
    assert (facts.traced_more, facts.passed, facts.requirements["R-1"].passed) == (4, 7, 5)
