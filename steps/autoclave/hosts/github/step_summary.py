"""What a job's summary says: the gates, the tests, the findings, and how old the advisories were.

Source: docs.github.com/en/actions/reference/workflow-commands-for-github-actions (job summaries: GitHub's
Markdown, at most 1 MiB for a step).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from autoclave.hosts import markdown
from autoclave.hosts.markdown import ICON, code_span
from autoclave.hosts.summary import About, headline, overall_state
from autoclave.model.facts import ScanFacts, Severity, TestFacts
from autoclave.model.status import Row

LONGEST = 200_000  # characters; at most four bytes each, which is below GitHub's limit
_CASES = 20  # tests that did not pass and are named
_LONGEST_CASE = 300


class Seen(Struct, frozen=True, kw_only=True):
    """What the records of one image say of its tests and scans; `tests` is None before they ran."""

    image: str
    tests: TestFacts | None = None
    scans: tuple[ScanFacts, ...] = ()


def render(about: About, rows: Sequence[Row], seen: Sequence[Seen], now: datetime) -> str:
    """Return the whole summary."""
    parts = [
        f"### {ICON[overall_state(rows)]} {code_span(about.device)} {code_span(about.version)}: "
        + headline(rows),
        markdown.table(rows),
        markdown.digests(rows),
        _tests(seen),
        *(_cases(each) for each in seen),
        _scans(seen, now),
        *markdown.reasons(rows),
    ]
    return markdown.join(parts, about, longest=LONGEST)


def _tests(seen: Sequence[Seen]) -> str:
    lines = [
        f"| {code_span(each.image, cell=True)} | {each.tests.passed:,} | {each.tests.failed:,} | "
        f"{each.tests.errors:,} | {each.tests.skipped:,} |"
        for each in seen
        if each.tests
    ]
    head = ["| tests of | passed | failed | errors | skipped |", "|---|--:|--:|--:|--:|"]
    return "\n".join([*head, *lines]) if lines else ""


def _cases(each: Seen) -> str:
    """Return the tests of an image that failed, or why its report cannot be used."""
    if each.tests is None:
        return ""
    if each.tests.defect:
        return f"Tests of {code_span(each.image)}: {code_span(each.tests.defect, longest=_LONGEST_CASE)}"
    failed = [case for case in each.tests.cases if case.outcome != "skipped"]
    lines = [
        f"- {case.outcome}: {code_span(case.name, longest=_LONGEST_CASE)} "
        f"{code_span(case.message, longest=_LONGEST_CASE)}"
        for case in failed[:_CASES]
    ]
    more = [f"- and {len(failed) - _CASES} more"] if len(failed) > _CASES else []
    return "\n".join([*lines, *more])


def _scans(seen: Sequence[Seen], now: datetime) -> str:
    order = tuple(reversed(Severity))
    lines = []
    for each in seen:
        for scan in each.scans:
            count = Counter(finding.severity for finding in scan.findings)
            cells = " | ".join(f"{count[severity]:,}" for severity in order)
            hours = (now - scan.database.updated).total_seconds() / 3600
            age = f"{scan.database.updated:%Y-%m-%d %H:%M} UTC, {hours:.0f} h old"
            by = code_span(scan.scanner, cell=True)
            lines.append(f"| {code_span(each.image, cell=True)} | {by} | {cells} | {age} |")
    titles = " | ".join(severity.value for severity in order)
    head = [f"| findings of | by | {titles} | advisories of |", "|---|---|" + "--:|" * len(order) + "---|"]
    return "\n".join([*head, *lines]) if lines else ""
