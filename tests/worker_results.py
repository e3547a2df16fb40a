"""Results of tests for a reader: lines for the end of the log, and rows of generated pages.

Tests run in several worker processes. Each keeps its results here; the process that started
them collects them.
"""

from __future__ import annotations

import os
from typing import Any

LINES: list[str] = []
ROWS: dict[str, dict[str, Any]] = {}  # page -> case -> row


def report(line: str) -> None:
    """Show a line at the end of the run."""
    LINES.append(line)


def keep(page: str, case: str, row: Any) -> None:
    """Keep the row of one case for a page. It must be plain data: it travels between processes."""
    ROWS.setdefault(page, {})[case] = row


def writes_pages() -> bool:
    """Return whether this run writes the pages instead of comparing them."""
    return os.environ.get("AUTOCLAVE_WRITE_DOCS") == "1"


def worker() -> str:
    """Return the short name of this worker process, such as `w1`; empty when there is only one process."""
    return os.environ.get("PYTEST_XDIST_WORKER", "").replace("gw", "w")
