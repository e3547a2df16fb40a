"""Assemble the whole report from verified facts: pure, one section after the other."""

from __future__ import annotations

from collections.abc import Sequence

from autoclave import __version__
from autoclave.gates import release
from autoclave.gates.waivers import JudgedWaiver, WaiverState
from autoclave.report.clauses import Clause, Cover, Source, counts
from autoclave.report.inputs import Inputs
from autoclave.report.rows import AnomalyRow, ClauseRow, SourceRows
from autoclave.report.schema import SCHEMA_VERSION, Findings, Report, Requirements, Soup, TestRecord
from autoclave.report.sections import components, decisions, findings, gates, provenance, tests
from autoclave.report.sections.changes import differences


def assemble(known: Inputs, production: Sequence[str] = ()) -> Report:
    """Return the report. `production` names the environments whose approvals are counted."""
    standings = release.judge_waivers(known.evidence, known.policy, known.now)
    matches = components.match(known.evidence.components, known)
    test_record, requirements = tests.record(known), tests.requirements(known)
    scan, register = findings.findings(known, standings), components.soup(known, matches)
    identity, verdict = provenance.identity(known), gates.verdict(known)
    return Report(
        schema_version=SCHEMA_VERSION,
        made=known.now,
        autoclave=__version__,
        trust=known.trust,
        verdict=verdict,
        identity=identity,
        provenance=provenance.provenance(known),
        timeline=provenance.timeline(known),
        gates=gates.gates(known, standings, verdict),
        requirements=requirements,
        tests=test_record,
        findings=scan,
        decisions=decisions.decisions(known, standings, production),
        soup=register,
        sbom=components.sbom(known, matches),
        anomalies=anomalies(scan, standings, test_record, requirements, register),
        deployments=provenance.deployments(known),
        records=provenance.records(known),
        rejected=provenance.rejections(known),
        seals=provenance.seals(known),
        differences=differences(known),
        clauses=clauses(known.sources, identity.safety_class, {each.name for each in known.records}),
    )


def anomalies(
    scan: Findings | None,
    standings: Sequence[JudgedWaiver],
    test_record: TestRecord | None,
    requirements: Requirements,
    register: Soup,
) -> tuple[AnomalyRow, ...]:
    """Return the unresolved anomalies of this release (IEC 62304 5.8.2); findings are counted by group."""
    rows: list[AnomalyRow] = []
    for each in scan.severities if scan else ():
        for count, why in (
            (each.blocks, "blocks"),
            (each.below, "below the policy: no decision is required"),
        ):
            if count:
                rows.append(
                    AnomalyRow(kind="finding", what=f"{each.severity} findings", count=count, why=why)
                )
    for one in standings:
        if one.state is WaiverState.USED:
            waiver = one.signed.waiver
            why = f"{waiver.rationale} (risk file: {waiver.risk_reference or 'no reference'})"
            what = f"{waiver.finding}, waived by {waiver.id}"
            rows.append(AnomalyRow(kind="waived finding", what=what, count=len(one.covers), why=why))
    rows += [
        AnomalyRow(kind=f"{case.outcome} test", what=case.name, count=1, why=case.message or "no message")
        for case in (test_record.anomalies if test_record else ())
    ]
    rows += [
        AnomalyRow(kind=f"{each.state} requirement", what=each.id, count=1, why=each.text)
        for each in requirements.requirements
        if each.state not in {"verified", "by-other-method"}
    ]
    rows += [
        AnomalyRow(kind="SOUP", what=entry.title, count=entry.components, why=entry.defect)
        for entry in register.entries
        if entry.defect
    ]
    if register.without_entry:
        count, names = len(register.without_entry), ", ".join(register.without_entry[:10])
        more = f" and {count - 10} more" if count > 10 else ""
        rows.append(
            AnomalyRow(kind="SOUP", what="components without an entry", count=count, why=names + more)
        )
    return tuple(rows)


def clauses(sources: Sequence[Source], safety_class: str, records: set[str]) -> tuple[SourceRows, ...]:
    """Return the clause table for a safety class: which clauses apply, and which of their records exist."""
    return tuple(
        SourceRows(
            id=source.id,
            title=source.title,
            edition=source.edition,
            read=source.read,
            version=source.version,
            covered=count[Cover.COVERED],
            partly=count[Cover.PARTLY],
            not_covered=count[Cover.NOT],
            clauses=tuple(_clause(each, safety_class, records) for each in source.clause),
        )
        for source in sources
        for count in [counts(source.clause)]
    )


def _clause(clause: Clause, safety_class: str, records: set[str]) -> ClauseRow:
    return ClauseRow(
        number=clause.number,
        title=clause.title,
        classes=clause.classes,
        asked=not clause.classes or safety_class in clause.classes,
        cover=str(clause.cover),
        records=clause.records,
        gate=clause.gate,
        present=bool(clause.records) and set(clause.records) <= records,
        shows=clause.shows,
        cannot=clause.cannot,
        verified=clause.verified,
    )
