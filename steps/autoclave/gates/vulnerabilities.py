"""Which vulnerabilities block: by severity and exploitation, and from which day on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from autoclave.model.facts import Finding, Kind, Rating, ScanFacts, Severity
from autoclave.policy.schema import ScanPolicy

_SHOWN = 10
_SKEW = timedelta(minutes=5)
_KINDS = {
    Kind.VULNERABILITY: "vulnerabilities",
    Kind.SECRET: "secrets",
    Kind.MISCONFIGURATION: "misconfigurations",
}


def is_blocking(finding: Finding, policy: ScanPolicy, now: datetime) -> bool:
    """Return whether a vulnerability closes the gate at a moment. What is exploited has no grace."""
    if finding.exploited and policy.block_exploited:
        return True
    if (
        finding.prediction
        and policy.block_predicted < 1
        and finding.prediction.score >= policy.block_predicted
    ):
        return True
    if policy.fixable_only and not finding.fixed:
        return False
    if finding.severity is Severity.UNKNOWN:
        return policy.block_unknown
    return finding.severity in find_severities(policy, now) and not find_grace(finding, policy, now)


def find_severities(policy: ScanPolicy, now: datetime) -> frozenset[Severity]:
    """Return the severities that block at a moment: with the rules whose day has come."""
    later = (each.block for each in policy.later if each.from_ <= now.date())
    return policy.block.union(*later)


def find_grace(finding: Finding, policy: ScanPolicy, now: datetime) -> datetime | None:
    """Return until when a vulnerability does not block because its advisory is new; None without grace.

    Without a date, or with one in the future, there is none.
    """
    days = policy.grace_days.get(finding.severity, 0)
    if not days or finding.published is None or finding.published > now + _SKEW:
        return None
    until = finding.published + timedelta(days=days)
    return until if until > now else None


def list_upcoming(scans: Sequence[ScanFacts], policy: ScanPolicy, now: datetime) -> list[str]:
    """Return a line about each rule whose day has not come and that would block, and about each grace."""
    found = list(
        dict.fromkeys(each for facts in scans for each in facts.findings if each.kind is Kind.VULNERABILITY)
    )
    open_now = [each for each in found if not is_blocking(each, policy, now)]
    lines = []
    for rule in sorted(policy.later, key=lambda each: each.from_):
        if rule.from_ > now.date():
            then = datetime.combine(rule.from_, datetime.min.time(), tzinfo=now.tzinfo)
            names = sorted({each.id for each in open_now if is_blocking(each, policy, then)})
            if names:
                shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
                lines.append(f"from {rule.from_} on, {len(names)} more would block: {shown}")
    for each in open_now:
        if each.severity in find_severities(policy, now) and (until := find_grace(each, policy, now)):
            lines.append(
                f"{each.severity} {each.id} in {each.package} is new: it blocks from {until:%Y-%m-%d} on"
            )
    return lines


def describe(finding: Finding) -> str:
    """Return a vulnerability in one line: how severe, where, what fixes it, and what else is known of it."""
    fix = f"fixed in {finding.fixed}" if finding.fixed else "no fixed version yet"
    notes = "; ".join((fix, *list_notes(finding)))
    return f"{finding.severity} {finding.id} in {finding.package} {finding.version} ({notes})"


def list_notes(finding: Finding) -> Iterator[str]:
    """Yield what else is known of a vulnerability: its exploitation, and who sees its severity otherwise."""
    if finding.exploited:
        since = f" since {finding.exploited.added}" if finding.exploited.added else ""
        yield f"known to be exploited{since}, says {finding.exploited.source}"
    if finding.prediction:
        yield f"EPSS {finding.prediction.score:.3f}"
    if differing := find_disagreement(finding):
        yield "sources disagree: " + ", ".join(f"{each.source} {each.severity}" for each in differing)


def find_disagreement(finding: Finding) -> tuple[Rating, ...]:
    """Return what each source says about the severity, when they say different things; else nothing."""
    said = {each.source: each for each in reversed(finding.ratings) if each.severity is not Severity.UNKNOWN}
    if len({each.severity for each in said.values()} | {finding.severity}) < 2:
        return ()
    return tuple(said[name] for name in sorted(said))


def check_catalogues(facts: ScanFacts, policy: ScanPolicy, at: datetime) -> Iterator[str]:
    """Yield a reason for each catalogue that the policy names and that was not used, or was too old."""
    used = {each.name: each for each in facts.catalogues}
    allowed = timedelta(hours=policy.max_catalogue_age_hours)
    for name in sorted(policy.catalogues):
        each = used.get(name)
        if each is None:
            yield f"the scan did not use the catalogue '{name}', which the policy names: scan again"
        elif at - each.updated > allowed:
            hours = (at - each.updated).total_seconds() / 3600
            yield (
                f"the catalogue '{name}' is {hours:.0f} h old (of {each.updated:%Y-%m-%d %H:%M} UTC), "
                f"the policy allows {policy.max_catalogue_age_hours} h"
            )
        elif each.updated - at > _SKEW:
            yield f"the catalogue '{name}' is dated in the future ({each.updated:%Y-%m-%d %H:%M} UTC)"


def find_unreported(scans: Sequence[ScanFacts], policy: ScanPolicy) -> list[str]:
    """Return a reason for each tool of which the policy requires a report, and no scan took one in."""
    there = {each.tool for facts in scans for each in facts.imported}
    return [
        f"no report of '{tool}' was taken in, and the policy requires one: name it under [[report]]"
        for tool in sorted(policy.reports - there)
    ]


def find_unsought(scans: Sequence[ScanFacts]) -> list[str]:
    """Return a reason for each kind of finding that no scanner of the image looks for."""
    sought = {kind for facts in scans for kind in facts.kinds}
    names = ", ".join(sorted(facts.scanner for facts in scans))
    return [
        f"nothing looked for {words} in the image: {names} does not, scan with another scanner as well"
        for kind, words in _KINDS.items()
        if scans and kind not in sought
    ]


def compare(scans: Sequence[ScanFacts]) -> list[str]:
    """Return a line about each vulnerability that only one of several scanners found, worst first.

    One is the same under any of its names (CVE, GHSA, …), in the same package and version.
    """
    by_scanner = {facts.scanner: _index(facts) for facts in scans}
    lines: list[tuple[int, str]] = []
    for name, found in by_scanner.items():
        others = [known for other, known in by_scanner.items() if other != name]
        for finding in dict.fromkeys(found.values()):
            places = _places(finding)
            if others and not any(place in known for known in others for place in places):
                what = f"{finding.severity} {finding.id} in {finding.package} {finding.version}"
                line = f"only {name} found {what}"
                lines.append((-list(Severity).index(finding.severity), line))
    return [line for _, line in sorted(dict.fromkeys(lines))]


def _index(facts: ScanFacts) -> dict[tuple[str, str, str], Finding]:
    return {
        place: each for each in facts.findings if each.kind is Kind.VULNERABILITY for place in _places(each)
    }


def _places(finding: Finding) -> list[tuple[str, str, str]]:
    # Scanners write names of packages in different ways: `Jinja2`, `jinja2`; `ruamel.yaml`, `ruamel-yaml`.
    package = re.sub(r"[-_.]+", "-", finding.package).lower()
    version = re.sub(r"^0:", "", finding.version)
    return [(name, package, version) for name in (finding.id, *finding.aliases)]
