"""Rows of docs/gates.md, made from what the known-bad cases answered when they were run."""

from __future__ import annotations

import re
from dataclasses import dataclass

import worker_results


@dataclass
class Row:
    """One case as it ended."""

    case: str
    step: str
    code: int
    message: str


def keep(row: Row) -> None:
    """Keep a case for the page."""
    worker_results.keep("gates", row.case, line(row))


def line(row: Row) -> str:
    """Return one row of the table."""
    return f"| {row.case} | {row.step} | {row.code} | {cell(row.message)} |"


def cell(message: str) -> str:
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
    (r"\bt-ready-\d+(-w\d+)?\b", "t-ready-…"),  # how many devices were prepared before
    (r"(?<=[a-z])-w\d+\b", ""),  # the worker whose device it was
    (r"/\S*/(?=(device|db|blobs|store|home|keys)(?![\w.]))", "…/"),
    (r"unix://\S*\.sock", "unix://….sock"),
    (r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:…"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "…"),
    (r"(?<=why:)\s+", " "),
    # What the base image holds changes with Debian's updates.
    (r"(?<=of )\d+(?= components)", "…"),
    (r"(?<=debian 12\.)\d+", "…"),
    (r"(\nlost-package: [^\n]*){2,}", "\nlost-package: …"),
    (r"(?<=lost-package: openssl )\S+", "…"),
    (r"(?<=and )\d+(?= more blocking)", "…"),
]
