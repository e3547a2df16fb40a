"""docs/gates.md, made from what the known-bad cases answered when they were run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gates.md"

_HEAD = """\
# What the gates stop

Every row was run for real by the integration tests (`tests/integration/test_known_bad*.py`): a device
folder with one fault, the real engine, the real scanner. The pipeline must stop at this step, with this exit
code and these words, and nothing after it may have happened. This page is written by that run
(`AUTOCLAVE_WRITE_DOCS=1`); a run that answers anything else fails. What differs from run to run, such as
digests and times, is shown as `…`.

| case | stopped by | exit code | it says |
| --- | --- | --- | --- |
"""


@dataclass
class Row:
    """One case as it ended."""

    case: str
    step: str
    code: int
    message: str


def page(rows: list[Row]) -> str:
    """Return the page for all rows."""
    return _HEAD + "\n".join(map(line, rows)) + "\n"


def merged(known: str, rows: list[Row]) -> str:
    """Return a known page with these rows renewed; new ones come last."""
    lines = known.removeprefix(_HEAD).splitlines()
    for row in rows:
        at = [number for number, old in enumerate(lines) if old.startswith(f"| {row.case} |")]
        if at:
            lines[at[0]] = line(row)
        else:
            lines.append(line(row))
    return _HEAD + "\n".join(lines) + "\n"


def line(row: Row) -> str:
    """Return one row of the table."""
    return f"| {row.case} | {row.step} | {row.code} | {told(row.message)} |"


def told(message: str) -> str:
    """Return a message as one table cell, without what differs from run to run."""
    text = message.removeprefix("autoclave: ")
    text = re.split(r"\nnext:", text)[0]
    for pattern, instead in _VARYING:
        text = re.sub(pattern, instead, text)
    return text.replace("|", "\\|").replace("\n", "<br>")


_VARYING = [
    # Which question the engine no longer answers depends on the moment.
    (r"the engine does not [^\n]*\nwhy:.*", "the engine does not …"),
    (r"sha256:[0-9a-f]{8,64}…?", "sha256:…"),
    (r"\b[0-9a-f]{12,64}\b", "…"),
    (r"/\S*/(?=(device|db|blobs|store|home|keys)(?![\w.]))", "…/"),
    (r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:…"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "…"),
    (r"(?<=why:)\s+", " "),
    # What the base image holds changes with Debian's updates.
    (r"(?<=of )\d+(?= components)", "…"),
    (r"(?<=debian 12\.)\d+", "…"),
]
