"""The scan gate: what was found, and whether the scan itself can be relied on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from autoclave.gates import gaps, vulnerabilities
from autoclave.gates.waivers import JudgedWaiver, explain_refusal, find_refused, find_waived, key
from autoclave.model.facts import Database, Finding, Kind, ScanFacts, Severity
from autoclave.model.inventory import Gap
from autoclave.model.verdict import Verdict
from autoclave.policy.schema import Policy, ProductionPolicy, ScanPolicy

_SHOWN = 10
_GAPS: dict[str, int] = {gap: rank for rank, gap in enumerate(Gap)}
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


def judge(facts: ScanFacts, policy: Policy, now: datetime, waivers: Sequence[JudgedWaiver] = ()) -> Verdict:
    """Judge one scan at a moment (NIST SP 800-190 4.1.1, 4.1.2, 4.1.4); waived findings do not block."""
    waived, refused = find_waived(waivers), find_refused(waivers)
    found = gaps.complete(facts).findings
    blocking = [each for each in found if is_blocking(each, policy.scan, now) and key(each) not in waived]
    blind = [each for each in blocking if each.kind is Kind.UNJUDGED]
    others = [each for each in blocking if each.kind is not Kind.UNJUDGED]
    then = min(now, facts.finished)
    old = (
        check_version(facts, policy.scan),
        check_database_age(facts, policy.scan, then),
        *(check_index_age(each, policy.scan, then) for each in facts.indexes),
        *vulnerabilities.check_catalogues(facts, policy.scan, then),
    )
    reasons = [each for each in old if each]
    # What was not judged comes first: it says what the list below is worth.
    return Verdict("scan", (*reasons, *_list_blocking(blind, refused), *_list_blocking(others, refused)))


def judge_all(
    scans: Sequence[ScanFacts],
    policy: Policy,
    now: datetime,
    waivers: Sequence[JudgedWaiver] = (),
    *,
    besides: Sequence[ScanFacts] = (),
) -> Verdict:
    """Judge the scans of one image, one of each scanner: what any of them found counts.

    `besides` are scans that are on record and not judged here: they looked for something all the same.
    """
    reasons = [
        f"{label}{reason}"
        for label, facts in label_scans(scans)
        for reason in judge(facts, policy, now, waivers).reasons
    ]
    return Verdict("scan", (*find_missing_parts((*scans, *besides), policy.scan), *reasons))


def find_missing_parts(scans: Sequence[ScanFacts], policy: ScanPolicy) -> list[str]:
    """Return a reason for each thing that no scan of the image looked for."""
    return [*vulnerabilities.find_unsought(scans), *vulnerabilities.find_unreported(scans, policy)]


def label_scans(scans: Sequence[ScanFacts]) -> list[tuple[str, ScanFacts]]:
    """Return each scan after the label of what is said about it: its scanner, where there are several."""
    return [(f"{each.scanner}: " if len(scans) > 1 else "", each) for each in scans]


def find_missing(scans: Sequence[ScanFacts], policy: ScanPolicy) -> list[str]:
    """Return a reason for each scanner that the policy requires and that has not scanned the image."""
    return [
        f"no valid vulns record of the scanner '{name}' is attached to the image, and the policy requires one"
        for name in sorted(policy.scanners - {each.scanner for each in scans})
    ]


def is_partial(database: Database, policy: ProductionPolicy) -> bool:
    """Return whether an advisory database lists only some advisories: by its scanner's word, else by size."""
    if database.complete is None:
        return database.size < policy.min_database_bytes
    return not database.complete


def explain_partial(database: Database) -> str:
    """Return the fact by which an advisory database counts as partial."""
    if database.complete is None:
        return f"{database.size:,} bytes"
    return database.lacks or "its scanner says so"


def is_blocking(finding: Finding, policy: ScanPolicy, now: datetime) -> bool:
    """Return whether one finding closes the gate at a moment. A secret always does."""
    if finding.kind is Kind.SECRET:
        return True
    if finding.kind is Kind.UNJUDGED:  # a gap that no policy can name is one that none can allow
        return finding.id in policy.block_unjudged or finding.id not in _GAPS
    if finding.kind is Kind.ANALYSIS:
        return finding.blocks or finding.severity in policy.block_reported
    if finding.kind is Kind.MISCONFIGURATION:
        return finding.severity in policy.block_misconfiguration
    return vulnerabilities.is_blocking(finding, policy, now)


def check_version(facts: ScanFacts, policy: ScanPolicy) -> str:
    """Return why the scanner's version is not the one that the policy pins, or an empty string."""
    pinned = policy.versions.get(facts.scanner, facts.scanner_version)
    if pinned == facts.scanner_version:
        return ""
    return f"the scan is by {facts.scanner} {facts.scanner_version}, and the policy pins {pinned}"


def check_index_age(index: Database, policy: ScanPolicy, at: datetime) -> str:
    """Return why an index by which packages are recognised is too old, or an empty string."""
    age = at - index.updated
    if age > timedelta(hours=policy.max_index_age_hours):
        allowed = policy.max_index_age_hours
        return f"the {index.name} database is {_hours(age)} old, the policy allows {allowed} h"
    if age < timedelta(minutes=-5):
        return f"the {index.name} database is dated in the future ({index.updated:%Y-%m-%d %H:%M} UTC)"
    return ""


def check_database_age(facts: ScanFacts, policy: ScanPolicy, at: datetime) -> str:
    """Return why the database is too old (or dated in the future) at a moment, or an empty string."""
    age = at - facts.database.updated
    allowed = timedelta(hours=policy.max_database_age_hours)
    if age > allowed:
        return (
            f"the advisory database is {_hours(age)} old (of {facts.database.updated:%Y-%m-%d %H:%M} UTC), "
            f"the policy allows {policy.max_database_age_hours} h"
        )
    if age < timedelta(minutes=-5):
        return f"the advisory database is dated in the future ({facts.database.updated:%Y-%m-%d %H:%M} UTC)"
    return ""


def _list_blocking(blocking: list[Finding], refused: dict[str, JudgedWaiver]) -> list[str]:
    worst = sorted(blocking, key=_order)
    reasons = [_describe(finding) + explain_refusal(finding, refused) for finding in worst[:_SHOWN]]
    if len(worst) > _SHOWN:
        reasons.append(f"and {len(worst) - _SHOWN} more blocking findings")
    return reasons


def _order(finding: Finding) -> tuple[int, str, int, str, str]:
    """Return what sorts findings: the worst first, and what the scan is blind to by how much it hides."""
    blind = _GAPS.get(finding.id, 0) if finding.kind is Kind.UNJUDGED else 0
    return -_RANK[finding.severity], finding.kind, blind, finding.id, finding.target


def _describe(finding: Finding) -> str:
    if finding.kind is Kind.VULNERABILITY:
        return vulnerabilities.describe(finding)
    if finding.kind is Kind.UNJUDGED:
        return f"{finding.id}: {finding.title}"
    return f"{finding.severity} {finding.kind} {finding.id} in {finding.target}: {finding.title}"


def _hours(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} h"
