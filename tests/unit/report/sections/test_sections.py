"""Sections of the release report, each from its evidence; what is wrong comes first."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from msgspec import structs

from autoclave.evidence.timestamps.rfc3161 import Stamp
from autoclave.evidence.timestamps.seals import SealStamp
from autoclave.model.declared import Approval, Declared, Meaning, SignedApproval
from autoclave.model.facts import (
    Catalogue,
    CatalogueName,
    Exploited,
    Finding,
    ImportedReport,
    Kind,
    Rating,
    Severity,
    TestCase,
    TestFacts,
)
from autoclave.report import charts
from autoclave.report.inputs import Inputs, Snapshot
from autoclave.report.rows import Change, Disposition, GateState
from autoclave.report.schema import Outcome
from autoclave.report.sections import changes
from builders.sample_facts import DIGEST, NOW, SCAN, THEN, vulnerability
from builders.sample_report import (
    ADA,
    COMPONENT,
    ENTRY,
    GOOD,
    NOTHING,
    REQUIREMENT,
    RUN,
    report,
    waiver,
    with_evidence,
)


def test_a_release_in_which_nothing_is_wrong_passed() -> None:
    made = report()
    assert made.verdict.outcome is Outcome.PASSED
    assert made.verdict.reasons == ()
    assert {gate.name: gate.recorded for gate in made.gates} == dict.fromkeys(
        ("build", "unit-test", "scan", "sign", "deploy"), GateState.PASSED
    )
    assert made.provenance
    assert made.provenance.slsa_level == 1


@pytest.mark.parametrize(
    ("known", "says"),
    [
        (with_evidence(rejected=(("vulns", "its signature does not match"),)), "vulns record: its signature"),
        (structs.replace(GOOD, summary=""), "no valid verification record"),
        (structs.replace(GOOD, summary="FAILED"), "the verification record says FAILED"),
        (structs.replace(GOOD, signature="nobody signed"), "nobody signed"),
        (structs.replace(GOOD, timestamp="no seal has a time stamp"), "no seal has a time stamp"),
        (with_evidence(scans=()), "no valid vulns record"),
        (with_evidence(declared=Declared(register=(ENTRY,))), "names no requirements file"),
        (NOTHING, "no valid provenance record"),
    ],
)
def test_whatever_is_wrong_fails_the_report_and_is_its_reason(known: Inputs, says: str) -> None:
    verdict = report(known).verdict
    assert verdict.outcome is Outcome.FAILED
    assert any(says in reason for reason in verdict.reasons), verdict.reasons


def test_what_weakens_a_verdict_is_listed_with_it() -> None:
    assert report().verdict.remarks == ()
    (record,) = [each for each in GOOD.records if each.name == "provenance"]
    keys = tuple(structs.replace(key, development=True) for key in record.keys)
    weak = structs.replace(record, keys=keys)
    others = tuple(each for each in GOOD.records if each is not record)
    small = structs.replace(SCAN, database=structs.replace(SCAN.database, size=65_536))
    known = structs.replace(with_evidence(scans=(small,)), records=(weak, *others))
    verdict = report(known).verdict
    assert verdict.outcome is Outcome.PASSED
    signed, scanned = verdict.remarks
    assert signed.startswith("signed only by development keys: provenance. ")
    assert scanned.startswith("scanned with a partial advisory database (65,536 bytes): ")


def test_what_does_not_verify_is_listed_as_such() -> None:
    (row,) = report(with_evidence(rejected=(("vulns", "signed by an unknown key"),))).rejected
    assert (row.name, row.why) == ("vulns", "signed by an unknown key")


def test_seals_are_shown_with_their_time_stamps() -> None:
    (bare,) = report().seals
    assert (bare.records, bare.stamped, bare.why) == (0, None, "it has no time stamp")
    stamp = Stamp(authority="test authority", time=THEN, ends=NOW)
    known = structs.replace(GOOD, stamps=(SealStamp(seal=bare.digest, stamp=stamp),))
    (row,) = report(known).seals
    assert (row.authority, row.stamped, row.ends, row.why) == ("test authority", THEN, NOW, "")


def test_no_evidence_still_gives_every_section() -> None:
    made = report(NOTHING)
    assert made.tests is None
    assert made.findings is None
    assert made.provenance is None
    assert made.timeline == ()
    assert not made.sbom.present
    assert {gate.recorded for gate in made.gates} == {GateState.NONE}
    assert made.clauses


def test_the_matrix_goes_both_ways() -> None:
    matrix = report().requirements
    (row,) = matrix.requirements
    assert (row.id, row.state, row.hazard) == ("SRS-1", "verified", "H-1")
    assert [test.name for test in row.tests] == ["t::alarms[a]"]
    (test,) = matrix.tests
    assert test.requirements == ("SRS-1",)


def test_the_test_record_has_what_is_asked_of_it() -> None:
    facts = TestFacts(
        passed=2, failed=1, cases=(TestCase(name="t::x", outcome="failed", message="no"),), flaky=("t::y",)
    )
    record = report(with_evidence(unit_test=structs.replace(RUN, report=facts, exit_code=1))).tests
    assert record
    assert record.result == "FAILED"
    assert (record.version, record.digest) == ("1", DIGEST)
    assert dict(record.tools)["Autoclave"] == "0"
    assert record.run_by
    assert record.run_by[0].startswith("steps (")
    assert [(each.name, each.outcome) for each in record.anomalies] == [("t::x", "failed"), ("t::y", "flaky")]


def findings(*found: Finding) -> Inputs:
    return with_evidence(scans=(structs.replace(SCAN, findings=found),))


def test_each_finding_says_what_was_done_about_it() -> None:
    known = findings(
        vulnerability(Severity.LOW, name="CVE-2026-3"),
        vulnerability(Severity.HIGH, name="CVE-2026-1"),
        vulnerability(Severity.CRITICAL, name="CVE-2026-2"),
        vulnerability(Severity.HIGH, name="CVE-2026-4", fixed=""),
    )
    made = report(
        structs.replace(known, evidence=structs.replace(known.evidence, waivers=(waiver("CVE-2026-1"),)))
    )
    assert made.findings
    rows = {row.id: (row.disposition, row.explanation) for row in made.findings.rows}
    assert [row.id for row in made.findings.rows] == ["CVE-2026-2", "CVE-2026-1", "CVE-2026-4", "CVE-2026-3"]
    assert rows["CVE-2026-2"] == (Disposition.BLOCKS, "fixed in 2.0")
    assert rows["CVE-2026-1"][0] is Disposition.WAIVED
    assert "Ben Engineer, Ada Quality until 2026-12-14 (W-1)" in rows["CVE-2026-1"][1]
    assert rows["CVE-2026-3"] == (Disposition.BELOW, "fixed in 2.0")
    assert "no fixed version yet" in rows["CVE-2026-4"][1]
    assert [(row.severity, row.total) for row in made.findings.severities][:3] == [
        (Severity.CRITICAL, 1),
        (Severity.HIGH, 2),
        (Severity.MEDIUM, 0),
    ]


def test_how_severe_by_whom_and_what_was_used_is_in_the_report() -> None:
    rated = structs.replace(
        vulnerability(Severity.LOW),
        ratings=(
            Rating(source="nvd", severity=Severity.HIGH, vector="CVSS:3.1/AV:N", score=7.5),
            Rating(source="ghsa", severity=Severity.LOW),
        ),
        cwes=("CWE-400",),
        exploited=Exploited(source="CISA KEV", added=date(2026, 1, 2)),
        found_by="version, by nvd",
    )
    kev = Catalogue(name=CatalogueName.EXPLOITED, updated=THEN, digest=DIGEST, entries=1400)
    checker = ImportedReport(tool="Checker", version="2.1", path="a.sarif", digest=DIGEST, findings=0)
    one = structs.replace(SCAN, findings=(rated,), catalogues=(kev,), imported=(checker,))
    other = structs.replace(SCAN, findings=(), scanner="grype")
    made = report(with_evidence(scans=(one, other))).findings
    assert made
    row = made.rows[0]
    assert (row.vectors, row.cwes, row.found_by) == (("nvd: CVSS:3.1/AV:N",), ("CWE-400",), "version, by nvd")
    assert row.disposition is Disposition.BLOCKS
    assert "known to be exploited since 2026-01-02" in row.explanation
    assert "sources disagree: ghsa low, nvd high" in row.explanation
    assert made.scans[0].catalogues == ("exploited of 2026-11-24, 1,400 entries",)
    assert made.scans[0].reports == ("Checker 2.1: 0 findings in a.sarif",)
    assert len(made.alone) == 1


def test_a_secret_blocks_whatever_a_waiver_says() -> None:
    secret = Finding(
        id="key", kind=Kind.SECRET, severity=Severity.LOW, title="a key", target="/k", package="jinja2"
    )
    known = findings(secret)
    made = report(structs.replace(known, evidence=structs.replace(known.evidence, waivers=(waiver("key"),))))
    assert made.findings
    assert made.findings.rows[0].disposition is Disposition.BLOCKS


def test_waivers_are_all_listed_with_their_state() -> None:
    known = findings(vulnerability(Severity.HIGH))
    waivers = (
        waiver("CVE-2026-1"),
        waiver("CVE-2026-9", id="W-2"),
        waiver("CVE-2026-1", id="W-3", expires=NOW - timedelta(days=1)),
        structs.replace(waiver("CVE-2026-1", id="W-4"), defect="its signature does not match"),
    )
    made = report(structs.replace(known, evidence=structs.replace(known.evidence, waivers=waivers)))
    assert [(row.id, row.state) for row in made.decisions.waivers] == [
        ("W-1", "used"),
        ("W-2", "unused"),
        ("W-3", "expired"),
        ("W-4", "refused"),
    ]
    assert made.decisions.waivers[0].expiring
    assert made.decisions.waivers[3].why == "its signature does not match"
    assert any(row.kind == "waived finding" and "RM-7" in row.why for row in made.anomalies)


def test_approvals_and_the_quorum_of_production() -> None:
    said = Approval(
        environment="production",
        place="engine tcp://clinic:2376",
        user="ada",
        printed_name="Ada Quality",
        role="quality",
        meaning=Meaning.APPROVAL,
        reason="bench report R-17",
        shown=DIGEST,
        signed_at=THEN,
    )
    good = SignedApproval(approval=said, record=DIGEST, person=ADA)
    bad = SignedApproval(approval=said, record=DIGEST, defect="it is signed with no person's key")
    made = report(structs.replace(GOOD, approvals=(good, bad)), "production", "clinic").decisions
    assert [row.defect for row in made.approvals] == ["", "it is signed with no person's key"]
    assert [(row.environment, row.role, row.needed, row.persons) for row in made.quorum] == [
        ("production", "quality", 1, ("Ada Quality",)),
        ("clinic", "quality", 1, ()),
    ]


def test_the_register_and_the_ntia_fields_are_counted() -> None:
    stranger = structs.replace(COMPONENT, name="left-pad", version="", purl="", ref="m", depends=())
    made = report(with_evidence(components=(COMPONENT, stranger)))
    assert made.soup.with_entry == 1
    assert made.soup.without_entry == ("left-pad ",)
    assert {count.field: (count.have, count.of) for count in made.sbom.fields} == {
        "supplier": (1, 2),
        "name": (2, 2),
        "version": (1, 2),
        "identifier": (1, 2),
        "relationship": (2, 2),
        "author of the SBOM": (2, 2),
        "time stamp": (2, 2),
        "end of support (SOUP register)": (1, 2),
    }
    assert made.sbom.author == "trivy 0.74.0"
    assert made.sbom.components[1].missing == ("supplier", "version", "identifier")


def test_differences_to_the_last_release_are_listed() -> None:
    before = Snapshot(
        evidence=with_evidence(
            components=(structs.replace(COMPONENT, version="0.9", purl="pkg:pypi/jinja2@0.9"),),
            scans=(structs.replace(SCAN, findings=(vulnerability(Severity.HIGH),)),),
            declared=Declared(requirements=(structs.replace(REQUIREMENT, text="it beeps"),)),
        ).evidence,
        policy={"scan": {"block": ["critical"]}},
    )
    after = Snapshot(evidence=GOOD.evidence, policy={"scan": {"block": ["critical", "high"]}})
    found = [(row.area, row.change, row.what) for row in changes.compare(before, after)]
    assert found == [
        ("component", Change.CHANGED, "pkg:pypi/jinja2"),
        ("finding", Change.GONE, "CVE-2026-1 in jinja2"),
        ("requirement", Change.CHANGED, "SRS-1"),
        ("policy", Change.CHANGED, "scan.block"),
    ]


def test_a_last_release_that_cannot_be_read_is_said() -> None:
    declared = structs.replace(GOOD.evidence.declared, previous=DIGEST)
    assert (
        report(with_evidence(declared=declared)).differences.note == "the last release is not in this store"
    )
    assert report().differences.note == "this is the first release"


def test_long_pauses_are_drawn_short() -> None:
    steps = report().timeline
    later = structs.replace(
        steps[-1], started=THEN + timedelta(days=8), finished=THEN + timedelta(days=8, seconds=9)
    )
    picture = charts.timeline((*steps, later))
    assert [each.text for each in picture.breaks] == ["8 days"]
    assert all(bar.x >= charts.LEFT and bar.x + bar.width <= charts.WIDTH for bar in picture.bars)
    many = charts.timeline(
        [
            structs.replace(
                later, started=later.started + timedelta(days=n), finished=later.finished + timedelta(days=n)
            )
            for n in range(50)
        ]
    )
    assert (len(many.bars), many.left_out) == (30, 20)
    assert all(bar.x + bar.width <= charts.WIDTH for bar in many.bars)
