"""The gate of requirements: every way in which a requirement lacks its test, and the matrix both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from autoclave.gates import traceability
from autoclave.gates.traceability import RequirementState
from autoclave.model.declared import Declared, Method, Requirement, RequirementKind
from autoclave.model.facts import TestFacts, TestRun, TracedTest
from autoclave.policy.schema import Policy
from builders.sample_facts import POLICY, TESTS

PLAIN = Requirement(id="R-1", text="adds")
CONTROL = Requirement(id="R-2", text="refuses", kind=RequirementKind.RISK_CONTROL, hazard="H-7")
OUTCOMES = ("passed", "failed", "error", "skipped", "flaky")


def declare(*requirements: Requirement) -> Declared:
    return Declared(requirements=requirements)


def make_traced_test(outcome: str, *ids: str, name: str = "t::one") -> TracedTest:
    return TracedTest(name=name, outcome=outcome, requirements=ids)


def run_of(*traced: TracedTest, **changed: object) -> TestRun:
    return replace(TESTS, report=TestFacts(passed=3, traced=traced), **changed)


def policy(profile: str = "B", **changed: object) -> Policy:
    return replace(POLICY[profile], requirements=replace(POLICY[profile].requirements, **changed))


def judge(what: Declared, *traced: TracedTest, rules: Policy | None = None) -> tuple[str, ...]:
    return traceability.judge(what, {"app": run_of(*traced)}, rules or policy())


def test_open_when_every_requirement_has_a_passing_test() -> None:
    assert judge(declare(PLAIN, CONTROL), make_traced_test("passed", "R-1", "R-2")) == ()


def test_no_file_closes_where_the_policy_demands_one() -> None:
    assert judge(Declared()) == ("the device names no requirements file, which the policy demands",)
    assert judge(Declared(), make_traced_test("passed", "X-1"), rules=policy("A")) == ()


@pytest.mark.parametrize("profile", ["A", "B", "C"])
def test_an_empty_file_closes(profile: str) -> None:
    assert judge(declare(), rules=policy(profile)) == ("the requirements file is empty",)
    later = replace(PLAIN, in_scope=False)
    assert judge(declare(later), rules=policy(profile)) == ("none of the 1 requirements is in scope",)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("failed", "1 requirement whose test failed: R-1 by t::one"),
        ("error", "1 requirement whose test failed: R-1 by t::one"),
        ("unheard-of", "1 requirement whose test failed: R-1 by t::one"),
        ("skipped", "1 requirement whose tests were only skipped: R-1 by t::one"),
        ("flaky", "1 requirement whose tests passed only on a repetition: R-1 by t::one"),
    ],
)
def test_a_test_that_did_not_simply_pass_verifies_nothing(outcome: str, reason: str) -> None:
    assert judge(declare(PLAIN), make_traced_test(outcome, "R-1")) == (reason,)


def test_one_failure_outweighs_what_passed() -> None:
    passed, failed = make_traced_test("passed", "R-1"), make_traced_test("failed", "R-1", name="t::two")
    assert judge(declare(PLAIN), passed, failed) == ("1 requirement whose test failed: R-1 by t::two",)


def test_a_pass_outweighs_what_was_skipped_or_repeated() -> None:
    assert (
        judge(declare(PLAIN), *(make_traced_test(each, "R-1") for each in ("skipped", "flaky", "passed")))
        == ()
    )


def test_flaky_verifies_where_the_policy_lets_it() -> None:
    assert judge(declare(PLAIN), make_traced_test("flaky", "R-1"), rules=policy(allow_flaky=True)) == ()


def test_a_risk_control_needs_a_test_whatever_its_method_and_the_policy() -> None:
    control = replace(CONTROL, method=Method.ANALYSIS, evidence="DOC-4")
    reason = "1 risk control without a test that passed on this image: R-2 (hazard H-7)"
    assert judge(declare(control), rules=policy(cover=frozenset())) == (reason,)
    assert judge(declare(control), make_traced_test("passed", "R-2")) == ()


def test_another_method_needs_its_evidence() -> None:
    inspected = replace(PLAIN, method=Method.INSPECTION)
    reason = "1 requirement verified by another method without evidence: R-1 (inspection)"
    assert judge(declare(inspected)) == (reason,)
    assert judge(declare(replace(inspected, evidence=" "))) == (reason,)
    assert judge(declare(replace(inspected, evidence="DOC-9"))) == ()


def test_what_is_out_of_scope_or_not_covered_is_not_demanded() -> None:
    later = replace(CONTROL, in_scope=False)
    assert judge(declare(PLAIN, later), make_traced_test("passed", "R-1")) == ()
    assert judge(declare(PLAIN), rules=policy("A")) == ()


def test_an_unknown_id_closes() -> None:
    traced = make_traced_test("passed", "R-1", "R-l")
    assert judge(declare(PLAIN), traced) == ("tests name 1 unknown requirement: R-l by t::one",)
    assert judge(declare(PLAIN), traced, rules=policy(known_ids=False)) == ()


def test_unlinked_tests_close_where_the_policy_says_so() -> None:
    report = TestFacts(
        passed=13, traced=(make_traced_test("passed", "R-1"),), unlinked=12, unlinked_names=("t::a", "t::b")
    )
    runs = {"app": replace(TESTS, report=report)}
    assert traceability.judge(declare(PLAIN), runs, policy()) == ()
    reason = "12 tests without a requirement, which the policy demands: app: t::a, app: t::b and 10 more"
    assert traceability.judge(declare(PLAIN), runs, policy(linked_tests=True)) == (reason,)
    assert reason in traceability.judge(Declared(), runs, policy(linked_tests=True))


def test_at_most_ten_are_named() -> None:
    many = [replace(PLAIN, id=f"R-{number}") for number in range(25)]
    (reason,) = judge(declare(*many))
    assert reason.startswith("25 requirements without a test that passed on this image: R-0, R-1, ")
    assert reason.endswith(", R-9 and 15 more")


@pytest.mark.parametrize(
    "spoilt",
    [
        {"released_layers": False},
        {"timed_out": True},
        {"oom_killed": True},
        {"report": TestFacts(traced=(make_traced_test("passed", "R-1"),), defect="cut off")},
    ],
)
def test_a_run_that_says_nothing_about_the_image_verifies_nothing(spoilt: dict[str, object]) -> None:
    run = replace(run_of(make_traced_test("passed", "R-1")), **spoilt)
    assert traceability.judge(declare(PLAIN), {"app": run}, policy()) == (
        "1 requirement without a test that passed on this image: R-1",
    )


def test_the_images_of_a_device_cover_its_requirements_together() -> None:
    runs = {
        "app": run_of(make_traced_test("passed", "R-1")),
        "db": run_of(make_traced_test("passed", "R-2")),
        "ui": None,
    }
    assert traceability.judge(declare(PLAIN, CONTROL), runs, policy()) == ()
    assert traceability.judge(declare(PLAIN, CONTROL), {**runs, "db": None}, policy()) != ()


def test_the_matrix_reads_both_ways() -> None:
    inspected = replace(PLAIN, id="R-3", method=Method.INSPECTION, evidence="DOC-9")
    later = replace(PLAIN, id="R-4", in_scope=False)
    report = TestFacts(
        traced=(make_traced_test("passed", "R-1", "R-9"), make_traced_test("skipped", "R-2", name="t::two")),
        unlinked=1,
        unlinked_names=("t::three",),
    )
    seen = traceability.matrix(
        declare(PLAIN, CONTROL, inspected, later), {"app": replace(TESTS, report=report)}
    )
    assert [(row.requirement.id, row.state) for row in seen.requirements] == [
        ("R-1", RequirementState.VERIFIED),
        ("R-2", RequirementState.SKIPPED),
        ("R-3", RequirementState.BY_OTHER_METHOD),
        ("R-4", RequirementState.OUT_OF_SCOPE),
    ]
    assert seen.requirements[0].tests == (seen.tests[0],)
    assert [(row.image, row.name, row.requirements, row.unknown) for row in seen.tests] == [
        ("app", "t::one", ("R-1", "R-9"), ("R-9",)),
        ("app", "t::two", ("R-2",), ()),
    ]
    assert (seen.unlinked, seen.unlinked_names) == (1, ("app: t::three",))


_IDS = st.sampled_from(["R-1", "R-2", "R-3", "R-4"])
_REQUIREMENTS = st.lists(
    st.builds(
        Requirement,
        id=_IDS,
        text=st.just("x"),
        kind=st.sampled_from(RequirementKind),
        method=st.sampled_from(Method),
        evidence=st.sampled_from(["", "DOC-1"]),
        in_scope=st.booleans(),
    ),
    unique_by=lambda each: each.id,
)
_TRACED = st.lists(
    st.builds(
        TracedTest,
        name=st.just("t"),
        outcome=st.sampled_from(OUTCOMES),
        requirements=st.lists(_IDS, min_size=1, unique=True).map(tuple),
    )
)
_RULES = st.builds(
    policy,
    st.sampled_from(["A", "B", "C"]),
    cover=st.sets(st.sampled_from(RequirementKind)).map(frozenset),
    demanded=st.booleans(),
    known_ids=st.booleans(),
    linked_tests=st.booleans(),
    allow_flaky=st.booleans(),
)


@given(requirements=_REQUIREMENTS, one=_TRACED, two=_TRACED, rules=_RULES)
def test_nothing_without_a_passing_test_is_ever_open(
    requirements: list[Requirement], one: list[TracedTest], two: list[TracedTest], rules: Policy
) -> None:
    runs = {"app": run_of(*one), "db": run_of(*two), "ui": None}
    if traceability.judge(Declared(requirements=tuple(requirements)), runs, rules):
        return
    good = {"passed", "flaky"} if rules.requirements.allow_flaky else {"passed"}
    for each in requirements:
        outcomes = [test.outcome for test in (*one, *two) if each.id in test.requirements]
        control = each.kind is RequirementKind.RISK_CONTROL
        covered = each.method is Method.TEST and each.kind in rules.requirements.cover
        if each.in_scope and (control or covered):
            assert good & set(outcomes)
            assert not {"failed", "error"} & set(outcomes)
    assert any(each.in_scope for each in requirements)


@given(requirements=_REQUIREMENTS, traced=_TRACED, rules=_RULES, extra=_TRACED)
def test_a_failing_test_more_never_opens(
    requirements: list[Requirement], traced: list[TracedTest], rules: Policy, extra: list[TracedTest]
) -> None:
    what = Declared(requirements=tuple(requirements))
    before = traceability.judge(what, {"app": run_of(*traced)}, rules)
    failed = [replace(each, outcome="failed") for each in extra]
    after = traceability.judge(what, {"app": run_of(*traced, *failed)}, rules)
    assert not before or after
