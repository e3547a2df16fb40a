"""Each gate, with everything in order and with each thing wrong that it knows of."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from autoclave.gates import build, deploy, release, scan, unit_test
from autoclave.gates.deploy import Candidate
from autoclave.model.declared import Declared
from autoclave.model.facts import Finding, Kind, Material, Origin, Severity, TestCase, TestFacts
from builders.sample_facts import (
    APPROVALS,
    BUILD,
    CONFIG,
    EVIDENCE,
    NOW,
    POLICY,
    SCAN,
    TESTS,
    THEN,
    vulnerability,
)


def test_good_facts_pass_every_gate() -> None:
    for policy in POLICY.values():
        assert build.judge(BUILD, policy).passed
        assert unit_test.judge(TESTS, policy).passed
        assert scan.judge(SCAN, policy, NOW).passed
        assert release.judge(EVIDENCE, policy, NOW).passed


@pytest.mark.parametrize("user", ["", "root", "0", "0:0", "root:app", "00", " 0"])
def test_root_is_refused_where_the_profile_forbids_it(user: str) -> None:
    facts = replace(BUILD, user=user)
    assert build.judge(facts, POLICY["A"]).passed
    assert "runs as root" in build.judge(facts, POLICY["B"]).reasons[0]


def test_a_base_image_that_cannot_be_resolved_is_refused() -> None:
    facts = replace(BUILD, materials=(Material(name="base python", digest={"sha256": ""}),))
    assert "the digest of base python is not known" in build.judge(facts, POLICY["A"]).reasons[0]


FETCHED = Material(name="remote https://h/x", digest={}, uri="https://h/x")


@pytest.mark.parametrize(
    ("material", "says"),
    [
        (FETCHED, "the build fetches https://h/x without a checksum"),
        (Material(name="frontend me/front:1", digest={"sha256": "1" * 64}), "the frontend me/front:1 reads"),
        (
            Material(name="frontend evil.example/docker/dockerfile-x:1", digest={"sha256": "1" * 64}),
            "reads the Dockerfile",
        ),
        *[
            (Material(name=f"frontend {name}", digest={"sha256": "1" * 64}), f"the frontend {name} reads")
            for name in (
                f"evil.example/x/docker/dockerfile@sha256:{'1' * 64}",
                "evil.example/docker/dockerfile:1",
                "x/docker/dockerfile",
                "docker.io/x/docker/dockerfile",
                "docker.io.evil.example/docker/dockerfile",
                "localhost:5000/docker/dockerfile:1",
                "docker/dockerfile/x",
            )
        ],
    ],
)
def test_what_may_change_unseen_is_refused_where_materials_must_be_known(
    material: Material, says: str
) -> None:
    facts = replace(BUILD, materials=(material,))
    assert build.judge(facts, POLICY["A"]).passed
    for name in ("B", "C"):
        assert says in build.judge(facts, POLICY[name]).reasons[0]


def test_a_builder_that_contradicts_the_record_closes_the_gate_in_every_class() -> None:
    facts = replace(BUILD, contradicted=("base:1, which is not found in the Dockerfile",))
    for policy in POLICY.values():
        assert "says otherwise about what it used: base:1" in build.judge(facts, policy).reasons[0]


@pytest.mark.parametrize(
    "name",
    [
        "frontend docker/dockerfile:1.7",
        "frontend docker/dockerfile",
        "frontend docker.io/docker/dockerfile-upstream:master",
        f"frontend docker/dockerfile:1@sha256:{'1' * 64}",
        f"frontend mirror.example:5000/hub/docker/dockerfile:1@sha256:{'1' * 64}",
        "remote https://h/x",
        "image busybox:1",
    ],
)
def test_materials_with_a_digest_pass(name: str) -> None:
    facts = replace(BUILD, materials=(Material(name=name, digest={"sha256": "1" * 64}),))
    mirrors = frozenset({"mirror.example:5000/hub/docker/dockerfile"})
    assert build.judge(
        facts, replace(POLICY["C"], build=replace(POLICY["C"].build, frontends=mirrors))
    ).passed
    assert build.judge(facts, POLICY["C"]).passed is ("mirror.example" not in name)


BAD = TestCase(name="t::a", outcome="failed", message="no")
SKIPPED = TestCase(name="t::b", outcome="skipped")
TEST_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"released_layers": False, "stage": "test"}, "it is another image"),
    ({"oom_killed": True}, "killed for memory (limit 64 MiB)"),
    ({"timed_out": True}, "did not end within 60 s"),
    ({"report": TestFacts(defect="not XML")}, "not XML"),
    ({"report": TestFacts(defect="missing"), "exit_code": 2}, "exit code 2"),
    ({"report": TestFacts()}, "no test was collected"),
    (
        {"report": TestFacts(passed=2, failed=1, cases=(BAD,)), "exit_code": 1},
        "1 of 3 tests failed: t::a: no",
    ),
    ({"report": TestFacts(passed=2, failed=1, cases=(BAD,))}, "exit code 0 although tests failed"),
    ({"exit_code": 3}, "ended with exit code 3"),
    ({"report": TestFacts(passed=2, flaky=("t::c",))}, "1 of 2 tests passed only on a repetition: t::c"),
    ({"report": TestFacts(skipped=1, cases=(SKIPPED,))}, "the policy demands 1"),
    ({"report": TestFacts(passed=1, skipped=1, cases=(SKIPPED,))}, "the policy allows 0: t::b"),
    ({"report": TestFacts(passed=1, skipped=1)}, "the policy allows 0: the report does not name them"),
]


@pytest.mark.parametrize(("changed", "says"), TEST_FAULTS)
def test_every_fault_of_a_test_run_has_its_reason(changed: dict[str, Any], says: str) -> None:
    verdict = unit_test.judge(replace(TESTS, **changed), POLICY["B"])
    assert not verdict.passed
    assert any(says in reason for reason in verdict.reasons), verdict.reasons


def secret(severity: Severity = Severity.LOW) -> Finding:
    return Finding(id="private-key", kind=Kind.SECRET, severity=severity, title="a key", target="/k")


def misconfiguration(severity: Severity) -> Finding:
    return Finding(id="DS-2", kind=Kind.MISCONFIGURATION, severity=severity, title="root", target="image")


BLOCKS = [
    (vulnerability(Severity.CRITICAL), "ABC"),
    (vulnerability(Severity.HIGH), "BC"),
    (vulnerability(Severity.MEDIUM), "C"),
    (vulnerability(Severity.LOW), ""),
    (vulnerability(Severity.CRITICAL, fixed=""), "C"),
    (vulnerability(Severity.UNKNOWN), "C"),
    (secret(), "ABC"),
    (misconfiguration(Severity.HIGH), "BC"),
    (misconfiguration(Severity.LOW), ""),
]


@pytest.mark.parametrize(("finding", "classes"), BLOCKS)
def test_what_blocks_depends_on_the_class(finding: Finding, classes: str) -> None:
    facts = replace(SCAN, findings=(finding,))
    closed = [name for name, policy in POLICY.items() if not scan.judge(facts, policy, NOW).passed]
    assert "".join(closed) == classes


@pytest.mark.parametrize("name", ["not-searched", "Not-Judged", ""])
def test_a_gap_that_no_policy_knows_blocks_in_every_class(name: str) -> None:
    gap = Finding(id=name, kind=Kind.UNJUDGED, severity=Severity.UNKNOWN, title="what is it", target="image")
    for policy in POLICY.values():
        allowing = replace(policy, scan=replace(policy.scan, block_unjudged=frozenset()))
        assert scan.judge(replace(SCAN, findings=(gap,)), allowing, NOW).reasons == (f"{name}: what is it",)


def test_many_findings_are_listed_worst_first_and_cut() -> None:
    found = [vulnerability(Severity.HIGH, name=f"CVE-2026-{n}") for n in range(20)]
    facts = replace(SCAN, findings=(*found, vulnerability(Severity.CRITICAL, name="CVE-2026-99")))
    reasons = scan.judge(facts, POLICY["B"], NOW).reasons
    assert reasons[0].startswith("critical CVE-2026-99")
    assert reasons[-1] == "and 11 more blocking findings"
    assert len(reasons) == 11


JAVA = replace(SCAN.database, name="java")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"ecosystems": ()}, "nothing was scanned"),
        ({"contents": None}, "the layers of the image were not read"),
        ({"database": replace(SCAN.database, updated=THEN - timedelta(days=30))}, "30 days old"),
        ({"database": replace(SCAN.database, updated=NOW + timedelta(hours=2))}, "dated in the future"),
        (
            {"indexes": (replace(JAVA, updated=THEN - timedelta(days=61)),)},
            "the java database is 61 days old",
        ),
        ({"indexes": (replace(JAVA, updated=NOW + timedelta(hours=2)),)}, "java database is dated in the"),
    ],
)
def test_a_scan_that_cannot_be_trusted_closes_the_gate(changed: dict[str, Any], says: str) -> None:
    for policy in POLICY.values():
        reasons = scan.judge(replace(SCAN, **changed), policy, NOW).reasons
        assert any(says in reason for reason in reasons), reasons


def without(name: str) -> dict[str, Any]:
    return {"finished": {key: at for key, at in EVIDENCE.finished.items() if key != name}}


def with_age(name: str, at: Any) -> dict[str, Any]:
    return {"finished": EVIDENCE.finished | {name: at}}


RELEASE_FAULTS: list[tuple[dict[str, Any], str]] = [
    *[(without(name), f"no valid {name} record") for name in release.REQUIRED],
    *[
        (with_age(name, NOW - timedelta(days=20)), f"the {name} record is 480 h old")
        for name in release.REQUIRED
    ],
    (with_age("vulns", NOW + timedelta(hours=1)), "the vulns record is dated in the future"),
    ({"rejected": (("vulns", "signed by an unknown key"),)}, "vulns record: signed by an unknown key"),
    ({"build": replace(BUILD, is_worktree=True)}, "built from a work tree, not from a commit"),
    ({"build": replace(BUILD, commit="")}, "built from a work tree, not from a commit"),
    ({"build": replace(BUILD, tree="")}, "built from a work tree, not from a commit"),
    ({"origins": {}}, "the test-result record is made from a work tree based on no commit"),
    *[
        (
            {"origins": {**EVIDENCE.origins, name: Origin("1" * 40, "3" * 40)}},
            f"the {name} record is made from commit 111111111111 (tree 333333333333), but the image from "
            "commit 111111111111 (tree 222222222222)",
        )
        for name in ("provenance", "test-result", "vulns", "vulns (other)", "verification")
    ],
    ({"origins": {**EVIDENCE.origins, "vulns": Origin("4" * 40, "2" * 40)}}, "from commit 444444444444"),
    (
        {"origins": {**EVIDENCE.origins, "test-result": Origin("1" * 40, "")}},
        "made from a work tree based on",
    ),
    ({"build": replace(BUILD, user="root")}, "runs as root"),
    ({"config": "sha256:" + "3" * 64}, "another image configuration"),
    ({"unit_test": replace(TESTS, exit_code=1)}, "exit code 1"),
    ({"scans": (replace(SCAN, findings=(secret(),)),)}, "secret private-key"),
]


@pytest.mark.parametrize(("changed", "says"), RELEASE_FAULTS)
def test_the_release_gate_judges_everything_anew(changed: dict[str, Any], says: str) -> None:
    reasons = release.judge(replace(EVIDENCE, **changed), POLICY["B"], NOW).reasons
    assert any(says in reason for reason in reasons), reasons


RELEASED = Candidate(
    evidence=EVIDENCE,
    summary="PASSED",
    verified=THEN,
    signature="",
    production=True,
    target="docker",
    approvals=APPROVALS,
)
DEPLOY_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"summary": ""}, "no valid verification record"),
    ({"summary": "FAILED"}, "the verification record says FAILED"),
    ({"signature": "the image has no release signature"}, "no release signature"),
    ({"evidence": replace(EVIDENCE, **without("sbom"))}, "no valid sbom record"),
    (
        {"evidence": replace(EVIDENCE, **with_age("vulns", NOW))},
        "the vulns record is newer",
    ),
]


def test_without_a_verification_nothing_is_said_of_what_the_device_declared() -> None:
    """Else a reader would look for a requirements file that is there."""
    unjudged = replace(EVIDENCE, declared=Declared(), unjudged=True)
    assert release.judge(unjudged, POLICY["B"], NOW).reasons == (release.UNJUDGED,)
    staging = replace(RELEASED, evidence=unjudged, summary="", verified=None, production=False)
    assert deploy.judge(staging, POLICY["B"], NOW).reasons == (release.UNJUDGED,)


def test_a_good_release_may_run_anywhere_and_later() -> None:
    assert deploy.judge(RELEASED, POLICY["C"], NOW).passed
    assert deploy.judge(RELEASED, POLICY["C"], NOW + timedelta(days=365)).passed


@pytest.mark.parametrize(("changed", "says"), DEPLOY_FAULTS)
def test_the_deploy_gate_judges_all_evidence_again(changed: dict[str, Any], says: str) -> None:
    reasons = deploy.judge(replace(RELEASED, **changed), POLICY["B"], NOW).reasons
    assert any(says in reason for reason in reasons), reasons


def test_a_partial_database_is_enough_for_staging_only() -> None:
    partial = replace(SCAN, database=replace(SCAN.database, size=65_536))
    released = replace(RELEASED, evidence=replace(EVIDENCE, scans=(partial,)))
    assert deploy.judge(replace(released, production=False), POLICY["C"], NOW).passed
    reasons = deploy.judge(replace(released, production=True), POLICY["A"], NOW).reasons
    assert "partial advisory database" in reasons[0]


def test_the_configuration_is_the_one_that_was_built() -> None:
    assert EVIDENCE.config == CONFIG == BUILD.config
