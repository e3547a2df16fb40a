"""The geometry of the report's charts, in pixels: where each bar is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from autoclave.report.rows import SeverityRow, Step

LEFT, WIDTH, ROW = 128, 760, 24
"""Width of the labels, width of a chart, height of a row."""

_PLOT = WIDTH - LEFT - 112  # the rest, on the right, shows how long a step took
_MOST_STEPS = 30
_LEAST_BAR = 3.0


class Bar(Struct, frozen=True):
    """One step: its label, the position of its bar, and the text beside it."""

    label: str
    x: float
    width: float
    y: int
    passed: bool
    took: str


class Break(Struct, frozen=True):
    """A pause between steps: drawn short, with its length as text."""

    x: float
    width: float
    text: str


class Timeline(Struct, frozen=True):
    """The steps over time. `left_out` counts earlier steps that are not drawn."""

    bars: tuple[Bar, ...]
    breaks: tuple[Break, ...]
    height: int
    left_out: int
    first: datetime | None
    last: datetime | None


class Segment(Struct, frozen=True):
    """A part of a severity's bar: what was done about how many findings."""

    name: str
    count: int
    x: float
    width: float


class SeverityBar(Struct, frozen=True):
    """One severity: its total and the parts of its bar."""

    label: str
    total: int
    y: int
    segments: tuple[Segment, ...]


def timeline(steps: Sequence[Step]) -> Timeline:
    """Lay the steps out over time; long pauses are drawn short."""
    shown = sorted(steps, key=lambda each: (each.started, each.finished))[-_MOST_STEPS:]
    if not shown:
        return Timeline((), (), 0, 0, None, None)
    busy = _busy(shown)
    total = sum((end - start).total_seconds() for start, end in busy)
    pause = min(44.0, _PLOT / 2 / max(len(busy) - 1, 1))
    scale = (_PLOT - pause * (len(busy) - 1)) / max(total, 0.001)
    starts: list[float] = []
    breaks: list[Break] = []
    x = float(LEFT)
    for number, (start, end) in enumerate(busy):
        starts.append(x)
        x += (end - start).total_seconds() * scale
        if number + 1 < len(busy):
            breaks.append(Break(round(x, 1), round(pause, 1), duration(busy[number + 1][0] - end)))
            x += pause
    bars = []
    for row, step in enumerate(shown):
        at = next(n for n, (start, end) in enumerate(busy) if start <= step.started <= end)
        left = starts[at] + (step.started - busy[at][0]).total_seconds() * scale
        width = max((step.finished - step.started).total_seconds() * scale, _LEAST_BAR)
        bars.append(
            Bar(
                label=f"{step.name} {step.detail}".strip()[:20],
                x=round(min(left, LEFT + _PLOT - width), 1),
                width=round(width, 1),
                y=row * ROW,
                passed=step.passed,
                took=duration(step.finished - step.started),
            )
        )
    return Timeline(
        tuple(bars), tuple(breaks), len(bars) * ROW, len(steps) - len(shown), busy[0][0], busy[-1][1]
    )


def severities(rows: Sequence[SeverityRow]) -> tuple[SeverityBar, ...]:
    """Lay the severities out; the length of a bar is its share of the largest total."""
    most = max((row.total for row in rows), default=0)
    return tuple(_severity(row, number, most) for number, row in enumerate(rows))


def duration(span: timedelta) -> str:
    """Return a time span as text in one unit: '5.3 s', '12 min', '4 days'."""
    seconds = max(span.total_seconds(), 0.0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86_400:.0f} days"


def _busy(steps: Sequence[Step]) -> list[tuple[datetime, datetime]]:
    """Return the spans in which steps ran; a pause shorter than half of all work does not end a span."""
    work = sum((each.finished - each.started for each in steps), timedelta())
    longest = max(work / 2, timedelta(seconds=5))
    busy: list[tuple[datetime, datetime]] = []
    for step in steps:
        if busy and step.started - busy[-1][1] <= longest:
            busy[-1] = (busy[-1][0], max(busy[-1][1], step.finished))
        else:
            busy.append((step.started, step.finished))
    return busy


def _severity(row: SeverityRow, number: int, most: int) -> SeverityBar:
    segments = []
    x = float(LEFT)
    for name, count in (("blocks", row.blocks), ("waived", row.waived), ("below", row.below)):
        if count:
            width = max(count / most * _PLOT, _LEAST_BAR)
            segments.append(Segment(name, count, round(x, 1), round(width, 1)))
            x += width
    return SeverityBar(str(row.severity), row.total, number * ROW, tuple(segments))
