"""Lines that the log of a test run shows at its end: what was found, for a reader who did not watch."""

from __future__ import annotations

LINES: list[str] = []


def tell(line: str) -> None:
    """Show a line at the end of the run."""
    LINES.append(line)
