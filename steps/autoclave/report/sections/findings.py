"""Findings by severity, each with its disposition."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from autoclave.gates import vulnerabilities
from autoclave.gates.scan import explain_partial, is_blocking, is_partial
from autoclave.gates.waivers import JudgedWaiver, find_refused, find_waived, key
from autoclave.model.facts import Finding, ScanFacts, Severity
from autoclave.model.inventory import Ecosystem
from autoclave.policy.schema import Policy, ScanPolicy
from autoclave.report.inputs import Inputs
from autoclave.report.rows import Disposition, FindingRow, SeverityRow
from autoclave.report.schema import Findings, ScanRow

_WORST_FIRST = tuple(reversed(Severity))
_RANK = {severity: rank for rank, severity in enumerate(_WORST_FIRST)}
_ORDER = {Disposition.BLOCKS: 0, Disposition.WAIVED: 1, Disposition.BELOW: 2}


def findings(known: Inputs, standings: Sequence[JudgedWaiver]) -> Findings | None:
    """Return every finding of each scanner's newest scan, worst first; None when no scan verifies."""
    evidence = known.evidence
    if not evidence.scans:
        return None
    rows = sorted(rows_of(evidence.findings, standings, known.policy.scan, known.now), key=_order)
    return Findings(
        scans=tuple(_scan(each, known.policy) for each in evidence.scans),
        alone=tuple(vulnerabilities.compare(evidence.scans)),
        severities=severities(rows),
        rows=tuple(rows),
    )


def _scan(scan: ScanFacts, policy: Policy) -> ScanRow:
    partial = is_partial(scan.database, policy.production)
    return ScanRow(
        scanner=f"{scan.scanner} {scan.scanner_version}",
        database_updated=scan.database.updated,
        database_digest=scan.database.digest,
        database_size=scan.database.size,
        partial=explain_partial(scan.database) if partial else "",
        os=scan.os,
        packages=scan.packages,
        judged=tuple(_judged(each) for each in scan.ecosystems),
        unowned=scan.contents.unowned if scan.contents else None,
        catalogues=tuple(
            f"{each.name} of {each.updated:%Y-%m-%d}, {each.entries:,} entries" for each in scan.catalogues
        ),
        reports=tuple(
            f"{each.tool} {each.version}: {each.findings} findings in {each.path}" for each in scan.imported
        ),
    )


def _judged(each: Ecosystem) -> str:
    by = f"by {each.source or 'its scanner'}" if each.judged else "NOT JUDGED"
    ended = ", past its end of life" if each.end_of_life else ""
    return f"{each} ({each.packages:,}): {by}{ended}"


def rows_of(
    found: Sequence[Finding], standings: Sequence[JudgedWaiver], policy: ScanPolicy, now: datetime
) -> list[FindingRow]:
    """Return a row for each finding: what the scan gate does with it at a moment, and why."""
    good, bad = find_waived(standings), find_refused(standings)
    return [_row(each, good.get(name), bad.get(name), policy, now) for each in found for name in [key(each)]]


def severities(rows: Sequence[FindingRow]) -> tuple[SeverityRow, ...]:
    """Count the findings, worst severity first."""
    counts: dict[tuple[Severity, Disposition], int] = {}
    for row in rows:
        at = (row.severity, row.disposition)
        counts[at] = counts.get(at, 0) + 1
    return tuple(
        SeverityRow(
            severity=each,
            blocks=counts.get((each, Disposition.BLOCKS), 0),
            waived=counts.get((each, Disposition.WAIVED), 0),
            below=counts.get((each, Disposition.BELOW), 0),
        )
        for each in _WORST_FIRST
    )


def _row(
    finding: Finding, good: JudgedWaiver | None, bad: JudgedWaiver | None, policy: ScanPolicy, now: datetime
) -> FindingRow:
    disposition, explanation = _disposition(finding, good, bad, policy, now)
    speaking = good or bad
    return FindingRow(
        severity=finding.severity,
        kind=finding.kind,
        id=finding.id,
        title=finding.title,
        where=finding.target,
        disposition=disposition,
        explanation=explanation,
        package=finding.package,
        version=finding.version,
        purl=finding.purl,
        fixed=finding.fixed,
        cvss=finding.cvss,
        aliases=finding.aliases,
        waiver=speaking.signed.waiver.id if speaking else "",
        vectors=tuple(f"{each.source}: {each.vector}" for each in finding.ratings if each.vector),
        cwes=finding.cwes,
        found_by=finding.found_by,
    )


def _disposition(
    finding: Finding, good: JudgedWaiver | None, bad: JudgedWaiver | None, policy: ScanPolicy, now: datetime
) -> tuple[Disposition, str]:
    if good:
        waiver = good.signed.waiver
        by = good.signed.supplier or ", ".join(person.name for person in good.signed.persons)
        return Disposition.WAIVED, f"by {by} until {waiver.expires:%Y-%m-%d} ({waiver.id})"
    notes = [f"fixed in {finding.fixed}" if finding.fixed else "", *vulnerabilities.list_notes(finding)]
    fix = "; ".join(filter(None, notes))
    if not is_blocking(finding, policy, now):
        if until := vulnerabilities.find_grace(finding, policy, now):
            return Disposition.BELOW, f"new: the policy accepts it until {until:%Y-%m-%d}"
        if policy.fixable_only and not finding.fixed and finding.severity in policy.block:
            return Disposition.BELOW, "no fixed version yet: the policy accepts it until there is one"
        return Disposition.BELOW, fix
    refused = f"waiver {bad.signed.waiver.id} does not count: {bad.why}" if bad else ""
    return Disposition.BLOCKS, "; ".join(filter(None, (fix, refused)))


def _order(row: FindingRow) -> tuple[int, int, str, str]:
    return _ORDER[row.disposition], _RANK[row.severity], row.id, row.package
