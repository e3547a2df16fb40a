"""Gates at their limits: the last value that passes, the first that does not, and facts that disagree."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from autoclave.gates import build, deploy, release, scan, unit_test
from autoclave.gates.deploy import Candidate
from autoclave.model.facts import Finding, Kind, Severity, TestCase, TestFacts
from builders.sample_facts import APPROVALS, BUILD, EVIDENCE, NOW, POLICY, SCAN, TESTS, THEN, vulnerability

MINUTE = timedelta(minutes=1)
BARELY = timedelta(seconds=1)


@pytest.mark.parametrize("user", ["+0", "-0", "000", "+00:5", "0:app", " root "])
def test_every_spelling_of_uid_0_is_root(user: str) -> None:
    assert not build.judge(replace(BUILD, user=user), POLICY["B"]).passed


@pytest.mark.parametrize("user", ["10001", "app", "app:root", "1:0", "²", "rooty"])
def test_other_users_are_not_root(user: str) -> None:
    assert build.judge(replace(BUILD, user=user), POLICY["B"]).passed


def test_a_name_that_the_image_gives_the_number_0_is_root() -> None:
    (reason,) = build.judge(replace(BUILD, user="service", uid=0), POLICY["B"]).reasons
    assert "(USER service, user id 0 in its /etc/passwd)" in reason
    assert build.judge(replace(BUILD, user="service", uid=0), POLICY["A"]).passed


@pytest.mark.parametrize(
    ("allowed", "name", "passed"),
    [
        ({"NPM_TOKEN"}, "NPM_TOKEN", True),
        ({"*"}, "NPM_TOKEN", True),
        ({"NPM_TOKEN"}, "OTHER", False),
        ({"NPM_TOKEN"}, "npm_token", False),
        (set(), "NPM_TOKEN", False),
        ({"*", "CI_REGISTRY_PASSWORD"}, "CI_REGISTRY_PASSWORD", False),
        ({"*", "CI_JOB_TOKEN"}, "CI_JOB_TOKEN", False),
        ({"AUTOCLAVE_KEY"}, "AUTOCLAVE_KEY", False),
        ({"autoclave_key"}, "autoclave_key", False),
        ({"AWS_SECRET_ACCESS_KEY"}, "AWS_SECRET_ACCESS_KEY", False),
        ({"GOOGLE_APPLICATION_CREDENTIALS"}, "GOOGLE_APPLICATION_CREDENTIALS", False),
        ({"KUBECONFIG"}, "KUBECONFIG", False),
        ({"DOCKER_AUTH_CONFIG"}, "DOCKER_AUTH_CONFIG", False),
        ({"VAULT_TOKEN"}, "VAULT_TOKEN", False),
        ({"ADA_PASSPHRASE"}, "ADA_PASSPHRASE", False),
        ({"release_pin"}, "release_pin", False),
    ],
)
def test_a_build_reads_only_secrets_that_the_policy_allows(
    allowed: set[str], name: str, passed: bool
) -> None:
    rules = replace(POLICY["B"], build=replace(POLICY["B"].build, secrets=frozenset(allowed)))
    assert build.judge(replace(BUILD, secrets=(name,)), rules).passed == passed


def test_a_user_whom_no_engine_finds_closes() -> None:
    (reason,) = build.judge(replace(BUILD, user="service", uid=None), POLICY["A"]).reasons
    assert "USER service is not in its /etc/passwd" in reason


def test_a_stage_that_changes_the_image_under_test_closes() -> None:
    changed = tuple(f"/app/{number} has other content" for number in range(7))
    (reason,) = unit_test.judge(replace(TESTS, stage="test", differences=changed), POLICY["A"]).reasons
    assert "stage 'test', which changes the image under test: /app/0 has other content; " in reason
    assert "/app/4 has other content and 2 more; a stage of tests may only add to it" in reason


def cases(count: int, outcome: str) -> tuple[TestCase, ...]:
    return tuple(TestCase(name=f"t::{n}", outcome=outcome) for n in range(count))


def reasons_of(report: TestFacts, name: str = "B", **more: Any) -> tuple[str, ...]:
    return unit_test.judge(replace(TESTS, report=report, **more), POLICY[name]).reasons


def test_an_error_counts_as_a_failure() -> None:
    (reason,) = reasons_of(TestFacts(passed=1, errors=1, cases=cases(1, "error")), exit_code=1)
    assert reason == "1 of 2 tests failed: t::0"


def test_five_failed_tests_are_named_and_the_rest_counted() -> None:
    (reason,) = reasons_of(TestFacts(passed=1, failed=7, cases=cases(7, "failed")), exit_code=1)
    assert reason == "7 of 8 tests failed: t::0; t::1; t::2; t::3; t::4 and 2 more"
    (reason,) = reasons_of(TestFacts(passed=1, failed=5, cases=cases(5, "failed")), exit_code=1)
    assert "more" not in reason


@pytest.mark.parametrize("report", [TestFacts(passed=3, failed=2), TestFacts(passed=3, errors=2)])
def test_failures_that_are_counted_but_not_named_close_too(report: TestFacts) -> None:
    reasons = reasons_of(report)
    assert reasons == ("2 of 5 tests failed", "the command ended with exit code 0 although tests failed")


def test_as_many_tests_as_demanded_are_enough() -> None:
    assert reasons_of(TestFacts(passed=1)) == ()
    assert reasons_of(TestFacts(passed=1, skipped=100, cases=cases(100, "skipped")), "A") == ()
    assert len(reasons_of(TestFacts(passed=1, skipped=101, cases=cases(101, "skipped")), "A")) == 1


def test_a_run_cut_short_is_reported_once() -> None:
    (reason,) = reasons_of(TestFacts(defect="missing"), timed_out=True, exit_code=137)
    assert "did not end within 60 s" in reason


def test_a_broken_report_of_a_run_that_passed_is_the_only_reason() -> None:
    assert reasons_of(TestFacts(defect="not XML")) == ("not XML",)


def database(age: timedelta, name: str) -> bool:
    facts = replace(SCAN, database=replace(SCAN.database, updated=THEN - age))
    return scan.judge(facts, POLICY[name], NOW).passed


@pytest.mark.parametrize(("name", "hours"), [("A", 168), ("B", 72), ("C", 24)])
def test_the_database_is_stale_one_second_after_its_limit(name: str, hours: int) -> None:
    assert database(timedelta(hours=hours), name)
    assert not database(timedelta(hours=hours) + BARELY, name)


def test_clocks_may_differ_by_five_minutes() -> None:
    assert database(-5 * MINUTE, "C")
    assert not database(-5 * MINUTE - BARELY, "C")


def test_the_database_s_age_counts_when_the_scan_ended_not_later_and_not_in_the_future() -> None:
    assert scan.judge(SCAN, POLICY["C"], NOW + timedelta(days=7)).passed
    postdated = replace(
        SCAN,
        finished=NOW + timedelta(days=9),
        database=replace(SCAN.database, updated=NOW + timedelta(days=9)),
    )
    assert not scan.judge(postdated, POLICY["C"], NOW).passed


def test_a_misconfiguration_has_its_own_list() -> None:
    found = Finding(
        id="DS-2", kind=Kind.MISCONFIGURATION, severity=Severity.MEDIUM, title="x", target="image"
    )
    assert scan.judge(replace(SCAN, findings=(found,)), POLICY["C"], NOW).passed


def test_a_severity_that_is_unknown_or_unfixed_follows_its_own_switch() -> None:
    unknown = vulnerability(Severity.UNKNOWN)
    demanding = replace(POLICY["A"], scan=replace(POLICY["A"].scan, block_unknown=True))
    assert not scan.judge(replace(SCAN, findings=(unknown,)), demanding, NOW).passed
    (reason,) = scan.judge(
        replace(SCAN, findings=(vulnerability(Severity.HIGH, fixed=""),)), POLICY["C"], NOW
    ).reasons
    assert reason == "high CVE-2026-1 in jinja2 1.0 (no fixed version yet)"


def test_ten_findings_are_all_listed() -> None:
    found = tuple(vulnerability(Severity.HIGH, name=f"CVE-2026-{n}") for n in range(10))
    reasons = scan.judge(replace(SCAN, findings=found), POLICY["B"], NOW).reasons
    assert len(reasons) == 10
    assert "more blocking" not in reasons[-1]


@pytest.mark.parametrize("name", release.REQUIRED)
def test_a_record_is_too_old_one_second_after_its_limit(name: str) -> None:
    limit = timedelta(hours=POLICY["B"].release.max_record_age_hours)
    for age, passes in ((limit, True), (limit + BARELY, False), (-5 * MINUTE, True), (-6 * MINUTE, False)):
        aged = replace(EVIDENCE, finished=EVIDENCE.finished | {name: NOW - age})
        assert release.judge(aged, POLICY["B"], NOW).passed is passes, age


@pytest.mark.parametrize(
    ("field", "name"), [("build", "provenance"), ("unit_test", "test-result"), ("scans", "vulns")]
)
def test_a_record_with_unreadable_facts_does_not_count(field: str, name: str) -> None:
    reasons = release.judge(
        replace(EVIDENCE, **{field: () if field == "scans" else None}), POLICY["A"], NOW
    ).reasons
    assert reasons[0] == f"no valid {name} record is attached to the image"


def test_class_a_releases_from_a_work_tree_and_b_does_not() -> None:
    built = replace(EVIDENCE, build=replace(BUILD, is_worktree=True, tree="", commit=""))
    assert release.judge(built, POLICY["A"], NOW).passed
    assert not release.judge(built, POLICY["B"], NOW).passed
    unexempt = replace(RELEASED, evidence=built)
    reasons = deploy.judge(unexempt, POLICY["A"], NOW).reasons
    assert any("built from a work tree" in each for each in reasons)


RELEASED = Candidate(
    evidence=EVIDENCE,
    summary="PASSED",
    verified=THEN,
    signature="",
    production=True,
    target="docker",
    approvals=APPROVALS,
)


def test_a_summary_from_the_future_does_not_stop_the_clock() -> None:
    later = NOW + timedelta(days=300)
    ahead = replace(
        RELEASED,
        verified=later,
        evidence=replace(EVIDENCE, finished=dict.fromkeys(release.REQUIRED, later)),
    )
    assert any("future" in reason for reason in deploy.judge(ahead, POLICY["C"], NOW).reasons)


def test_records_age_as_long_as_nothing_was_verified() -> None:
    unverified = replace(RELEASED, verified=None)
    reasons = deploy.judge(unverified, POLICY["C"], NOW + timedelta(days=30)).reasons
    assert any("h old" in reason for reason in reasons)


def test_a_database_of_exactly_the_least_size_is_whole() -> None:
    least = POLICY["A"].production.min_database_bytes
    for size, passes in ((least, True), (least - 1, False)):
        sized = replace(SCAN, database=replace(SCAN.database, size=size))
        judged = replace(RELEASED, evidence=replace(EVIDENCE, scans=(sized,)))
        assert deploy.judge(judged, POLICY["A"], NOW).passed is passes


def test_a_release_needs_these_four_records() -> None:
    assert release.REQUIRED == ("provenance", "test-result", "vulns", "sbom")
