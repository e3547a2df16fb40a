"""The report as one HTML page: no script, nothing fetched, everything that is not ours escaped."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from autoclave.reporting import drawn
from autoclave.reporting.tree import Report

_CHUNK = 2000  # pieces that the template yields, joined before they are written


def page(report: Report) -> Iterator[bytes]:
    """Yield the page piece by piece, so that it never lies in memory whole."""
    template = _environment().get_template("release.html")
    stream = template.stream(
        report=report,
        timeline=drawn.timeline(report.timeline),
        severities=drawn.severities(report.findings.severities) if report.findings else (),
        size=drawn,
    )
    stream.enable_buffering(_CHUNK)
    for piece in stream:
        yield piece.encode("utf-8", "replace")


def shown(value: Any) -> Any:
    """Return text without characters that cannot be seen or turn the direction of others."""
    if type(value) is not str or value.isprintable():
        return value
    return "".join(
        each if each in "\n\t" or unicodedata.category(each)[0] != "C" else "\N{REPLACEMENT CHARACTER}"
        for each in value
    )


def _when(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else ""


def _zoned(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %z}"


def _day(day: date | None) -> str:
    return f"{day:%Y-%m-%d}" if day else ""


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("autoclave.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"when": _when, "zoned": _zoned, "day": _day}
    return made
