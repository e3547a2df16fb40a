"""What all tests share."""

from __future__ import annotations

import pytest

from telling import LINES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the tests had to tell."""
    if LINES:
        terminalreporter.section("run for real")
        for line in LINES:
            terminalreporter.line(line)
