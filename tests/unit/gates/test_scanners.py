"""What a scanner says about itself, and several scanners of one image."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from autoclave.gates import deploy, release
from autoclave.model.facts import Database, ScanFacts, Severity
from autoclave.policy.schema import Policy
from builders.sample_facts import APPROVALS, DIGEST, EVIDENCE, NOW, POLICY, SCAN, THEN, vulnerability

TOY = replace(SCAN, scanner="toy")


def reasons(*scans: ScanFacts, policy: Policy = POLICY["B"]) -> tuple[str, ...]:
    return release.judge(replace(EVIDENCE, scans=scans), policy, NOW).reasons


def production(*scans: ScanFacts) -> tuple[str, ...]:
    released = deploy.Candidate(
        evidence=replace(EVIDENCE, scans=scans),
        summary="PASSED",
        verified=NOW,
        signature="",
        production=True,
        target="docker",
        approvals=APPROVALS,
    )
    return deploy.judge(released, POLICY["A"], NOW).reasons


def test_what_any_scanner_finds_closes_the_gate() -> None:
    assert reasons(SCAN, TOY) == ()
    found = replace(TOY, findings=(vulnerability(Severity.CRITICAL),))
    assert reasons(SCAN, found) == ("toy: critical CVE-2026-1 in jinja2 1.0 (fixed in 2.0)",)
    assert reasons(found, SCAN) == reasons(SCAN, found)
    assert reasons(replace(found, scanner="trivy")) == ("critical CVE-2026-1 in jinja2 1.0 (fixed in 2.0)",)


def test_what_several_scanners_find_alike_is_one_finding() -> None:
    same, other = vulnerability(Severity.LOW), vulnerability(Severity.LOW, name="CVE-2026-2")
    evidence = replace(
        EVIDENCE, scans=(replace(SCAN, findings=(same,)), replace(TOY, findings=(same, other)))
    )
    assert evidence.findings == (same, other)


def test_a_scanner_that_the_policy_requires_must_have_scanned() -> None:
    requiring = replace(POLICY["B"], scan=replace(POLICY["B"].scan, scanners=frozenset({"toy", "trivy"})))
    assert reasons(SCAN, TOY, policy=requiring) == ()
    assert reasons(SCAN, policy=requiring) == (
        "no valid vulns record of the scanner 'toy' is attached to the image, and the policy requires one",
    )
    assert len(reasons(policy=requiring)) == 3  # no record at all, and neither scanner's


def test_the_older_of_two_scans_must_be_young_enough_too() -> None:
    limit = timedelta(hours=POLICY["B"].release.max_record_age_hours)
    for age, passes in ((limit, True), (limit + timedelta(seconds=1), False)):
        at = NOW - age
        old = replace(TOY, started=at, finished=at, database=replace(TOY.database, updated=at))
        said = reasons(SCAN, old)
        assert (said == ()) is passes, said
        assert passes or said[0].startswith("the vulns (toy) record is ")


def test_a_scanner_without_a_database_file_says_itself_whether_it_is_complete() -> None:
    silent, complete, partial = (
        Database(updated=THEN, digest=DIGEST, complete=word) for word in (None, True, False)
    )
    assert production(replace(TOY, database=complete)) == ()
    for database, fact in (
        (silent, "0 bytes, production demands 100,000,000"),
        (partial, "its scanner says so"),
    ):
        (reason,) = production(replace(TOY, database=database))
        assert reason.startswith(f"the scan used a partial advisory database ({fact}): ")
    # A large file is no proof against the scanner's own word.
    large = replace(partial, size=1 << 40)
    (reason,) = production(SCAN, replace(TOY, database=large))
    assert reason.startswith("toy: the scan used a partial advisory database (its scanner says so)")


def test_the_version_that_the_policy_pins_must_have_scanned() -> None:
    def pin(**versions: str) -> Policy:
        return replace(POLICY["B"], scan=replace(POLICY["B"].scan, versions=versions))

    ours = SCAN.scanner_version
    assert reasons(SCAN, policy=pin(trivy=ours, grype="9.9.9")) == ()
    assert reasons(SCAN, policy=pin(trivy="9.9.9")) == (
        f"the scan is by trivy {ours}, and the policy pins 9.9.9",
    )
    assert reasons(SCAN, TOY, policy=pin(toy="9.9.9")) == (
        f"toy: the scan is by toy {ours}, and the policy pins 9.9.9",
    )
