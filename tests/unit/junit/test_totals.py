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


def test_two_tests_of_one_name_are_two_tests_in_any_order() -> None:
    cases = [case("a", FAILURE), case("b"), case("a", FAILURE), case("a")]
    for given in (cases, cases[::-1]):
        facts = read(*given)
        assert sorted((each.name, each.outcome) for each in facts.traced) == [
            ("t::a", "failed"),
            ("t::a", "failed"),
            ("t::a", "passed"),
            ("t::b", "passed"),
        ]
        assert (facts.passed, facts.failed, facts.flaky) == (2, 2, ())


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


def pytest_of(total: int, *cases: str, plugins: str = "") -> TestFacts:
    listed = (
        f'<properties><property name="pytest-plugins" value="{plugins}"/></properties>' if plugins else ""
    )
    root = f'<testsuites name="pytest tests"><testsuite name="pytest" tests="{total}">'
    return read(listed, *cases, root=root)


def test_attempts_are_what_pytests_total_counts_once() -> None:
    assert read(case("a"), case("a")).passed == 2
    facts = pytest_of(2, case("a"), case("b"), case("a", ids="R-2"))
    assert (facts.passed, facts.flaky) == (2, ("t::a",))
    assert facts.requirements == {"R-1": RequirementCount(passed=2), "R-2": RequirementCount(passed=1)}
    facts = pytest_of(1, case("a"), case("a"), case("a", FAILURE))
    assert (facts.passed, facts.failed, facts.flaky) == (0, 1, ())


def test_tests_of_one_name_that_pytest_counts_each_are_no_attempts() -> None:
    facts = pytest_of(2, case("a"), case("a"))
    assert (facts.passed, facts.flaky, facts.defect) == (2, (), "")


def test_subtests_in_the_total_hide_no_attempt_when_the_plugin_is_known() -> None:
    with_subtests = (9, case("a"), case("a"), case("b"))
    assert pytest_of(*with_subtests).flaky == ()
    facts = pytest_of(*with_subtests, plugins="pytest-rerunfailures 16.7")
    assert (facts.passed, facts.flaky) == (2, ("t::a",))


def test_a_surplus_that_no_attempts_explain_is_a_contradiction() -> None:
    assert "says 1 tests, contains 2" in pytest_of(1, case("a"), case("b")).defect
    assert "says 1 tests, contains 3" in pytest_of(1, case("a"), case("a"), case("b")).defect


@pytest.mark.parametrize(
    ("listed", "hidden"),
    [
        ("pytest-xdist 3.8.0, autoclave_requirements", {}),
        ("pytest-rerunfailures 16.7", {}),
        ("pytest-rerunfailures 16.6.1", {}),
        ("pytest-rerunfailures 16.6", {"pytest-rerunfailures 16.6": "take 16.7 or newer"}),
        ("pytest_rerunfailures 14.0", {"pytest-rerunfailures 14.0": "take 16.7 or newer"}),
        ("pytest_rerunfailures", {"pytest-rerunfailures": "take 16.7 or newer"}),
        ("pytest-retry 1.7.0", {"pytest-retry 1.7.0": "remove it, or take pytest-rerunfailures 16.7"}),
        ("flaky 3.8.1", {}),
    ],
)
def test_plugins_that_repeat_tests_without_a_trace_are_named(listed: str, hidden: dict[str, str]) -> None:
    assert pytest_of(1, case("a"), plugins=listed).hidden_retries == hidden


def test_pytest_without_a_list_of_plugins_may_hide_retries() -> None:
    assert list(pytest_of(1, case("a")).hidden_retries) == ["pytest"]


@pytest.mark.parametrize(
    "names", [("TestType", "DerivationTechnique"), ("test-type", "derivation_technique")]
)
def test_kind_and_technique_are_properties_of_a_test(names: tuple[str, str]) -> None:
    notes = "".join(
        f'<property name="{name}" value="{value}"/>'
        for name, value in zip(names, ("fault-injection", "boundary-values&#155;31m"), strict=True)
    )
    (test,) = read(case("a").replace("</properties>", f"{notes}</properties>")).traced
    assert (test.kind, test.technique) == ("fault-injection", "boundary-values 31m")


def test_a_hundred_unlinked_tests_are_named() -> None:
    facts = read(*(case(str(number), ids="") for number in range(250)))
    assert (facts.unlinked, len(facts.unlinked_names), facts.unlinked_names[-1]) == (250, 100, "t::99")


def test_a_long_list_leaves_out_what_changes_no_requirement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoclave.junit.totals._MOST_TRACED", 2)
    cases = [case(str(number)) for number in range(5)]
    facts = read(*cases, case("f", FAILURE), case("n", ids="R-2"), case("m", ids="R-2"))
    assert [each.name for each in facts.traced] == ["t::0", "t::1", "t::f", "t::n"]
    assert (facts.traced_more, facts.passed, facts.requirements["R-1"].passed) == (4, 7, 5)
