"""The page for staff: active alarms and the latest reading of each patient, as one HTML document.

It loads nothing: no script, no font, no picture. A browser that shows it asks for it again every few seconds,
and it says of what time it is, so that what is shown cannot pass for what is true now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from oximeter.storage import Observation, OpenAlarm, instant

RENEW = 5  # seconds
HEADERS = {
    # The style below is the only thing that a browser may apply; patient data is kept in no cache.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
MEANINGS = {"LL": "critical", "L": "low", "N": "normal", "H": "high"}
_WORST_FIRST = ("LL", "L", "H", "N")
UNITS = {"spo2": "%", "pulse": "/min"}
_STYLE = """
:root { color-scheme: light dark; font: 16px/1.45 system-ui, sans-serif }
body { margin: 0 auto; padding: 1rem; max-width: 46rem }
h1 { font-size: 1.4rem; margin: 0 }
h2 { font-size: 1.1rem; margin: 1.6rem 0 .5rem }
ul { list-style: none; margin: 0; padding: 0 }
li { border: 1px solid #8888; border-left-width: .5rem; border-radius: .4rem; padding: .5rem .8rem }
li { margin: .5rem 0; overflow-wrap: anywhere }
.high, .critical { border-color: #d32f2f }
.medium, .low { border-color: #f9a825 }
.normal { border-left-color: #2e7d32 }
b { font-size: 1.25rem }
small { display: block; opacity: .8 }
span { display: inline-block; margin-right: 1.2rem }
"""


def write(now: datetime, alarms: Sequence[OpenAlarm], latest: Sequence[Observation]) -> str:
    """Return the page as of `now`; alarms and observations come in the order in which they are shown."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Pulse oximeter</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="refresh" content="{RENEW}"><style>{_STYLE}</style></head><body>'
        f"<h1>Pulse oximeter</h1><p>As of <time>{instant(now)}</time>, renewed every {RENEW} seconds.</p>"
        f"<h2>Active alarms: {len(alarms)}</h2>{_items(map(_alarm, alarms), 'No alarm is active.')}"
        f"<h2>Latest readings</h2>{_items(_readings(latest), 'No reading has arrived yet.')}</body></html>\n"
    )


def _items(items: Iterable[str], none: str) -> str:
    listed = "".join(items)
    return f"<ul>{listed}</ul>" if listed else f"<p>{none}</p>"


def _alarm(alarm: OpenAlarm) -> str:
    priority = escape(alarm.priority)
    return (
        f'<li class="{priority}"><b>{escape(alarm.kind)}</b> {priority} priority'
        f"<small>patient {escape(alarm.patient)}, since {escape(alarm.raised)}</small></li>"
    )


def _readings(latest: Sequence[Observation]) -> Iterable[str]:
    """Yield one entry for each reading, marked by the worse of its two values."""
    readings: dict[tuple[str, str], list[Observation]] = {}  # two devices may measure at the same moment
    for row in latest:
        readings.setdefault((row.patient, row.device), []).append(row)
    for (patient, device), rows in readings.items():
        worst = min(rows, key=lambda row: _WORST_FIRST.index(row.interpretation))
        mark = {"LL": "critical", "N": "normal"}.get(worst.interpretation, "low")
        values = "".join(map(_value, rows))
        yield (
            f'<li class="{mark}">{values}<small>patient {escape(patient)}, device {escape(device)},'
            f" taken {escape(worst.taken)}</small></li>"
        )


def _value(row: Observation) -> str:
    name = {"spo2": "SpO2", "pulse": "Pulse"}[row.code]
    return f"<span>{name} <b>{row.value} {UNITS[row.code]}</b> {MEANINGS[row.interpretation]}</span>"
