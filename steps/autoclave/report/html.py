"""Write the report as one HTML page: no script, nothing fetched, all text from records escaped."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from msgspec import structs

from autoclave.model.digest import Digest
from autoclave.report import charts
from autoclave.report.rows import TestLink, TestRow
from autoclave.report.schema import Report

_CHUNK = 2000  # pieces that the template yields, joined before they are written


def page(report: Report) -> Iterator[bytes]:
    """Yield the page piece by piece, so that it is never in memory as a whole."""
    template = _environment().get_template("release.html")
    stream = template.stream(
        report=report,
        timeline=charts.timeline(report.timeline),
        severities=charts.severities(report.findings.severities) if report.findings else (),
        size=charts,
    )
    stream.enable_buffering(_CHUNK)
    for piece in stream:
        yield piece.encode("utf-8", "replace")


def replace_invisible(value: Any) -> Any:
    """Return text in which characters that are invisible, or change the text direction, are replaced."""
    if type(value) is not str or value.isprintable():
        return value
    return "".join(
        each if each in "\n\t" or unicodedata.category(each)[0] != "C" else "\N{REPLACEMENT CHARACTER}"
        for each in value
    )


def cases(tests: Sequence[TestRow]) -> Iterator[tuple[TestRow, int]]:
    """Yield each test once, with how many of its cases had this outcome: there may be hundreds."""
    counts: dict[TestRow, int] = {}
    for each in tests:
        one = structs.replace(each, name=each.name.partition("[")[0] or each.name)
        counts[one] = counts.get(one, 0) + 1
    yield from counts.items()


def group_cases(tests: Sequence[TestLink]) -> list[str]:
    """Return a line for each test with the number of its cases, and the image where there are several."""
    several = len({each.image for each in tests}) > 1
    counts: dict[tuple[str, str, str], int] = {}
    for each in tests:
        at = (each.image, each.name.partition("[")[0] or each.name, each.outcome)
        counts[at] = counts.get(at, 0) + 1
    return [
        f"{f'{image}: ' if several else ''}{name}: {f'{count} ' if count > 1 else ''}{outcome}"
        for (image, name, outcome), count in counts.items()
    ]


def _utc(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else ""


def _local_time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %z}"


def _day(day: date | None) -> str:
    return f"{day:%Y-%m-%d}" if day else ""


def _shorten(digest: str) -> str:
    return Digest(digest).short


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("autoclave.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=replace_invisible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"when": _utc, "zoned": _local_time, "day": _day, "short": _shorten}
    made.filters |= {"together": group_cases, "cases": cases}
    return made
