"""Rows of docs/registry.md: what the store answered when the registry failed."""

from __future__ import annotations

import re
from dataclasses import dataclass

import worker_results


@dataclass
class Row:
    """One fault as it ended; an empty message means that all went well."""

    case: str
    requests: int
    message: str


def keep(row: Row) -> None:
    """Keep a case for the page."""
    worker_results.keep("registry", row.case, line(row))


def line(row: Row) -> str:
    """Return one row of the table, without what differs from run to run."""
    text = row.message
    for pattern, instead in (
        (r"http://127\.0\.0\.1:\d+", "http://…"),
        (r"127\.0\.0\.1:\d+", "…"),
        (r"sha256([:-])[0-9a-f]{64}", r"sha256\1…"),
        (r"uploads/[0-9a-f-]{36}", "uploads/…"),
    ):
        text = re.sub(pattern, instead, text)
    text = text.replace("|", "\\|").replace("\n", "<br>")
    return f"| {row.case} | {row.requests} | {'refused' if row.message else 'well'} | {text} |"
