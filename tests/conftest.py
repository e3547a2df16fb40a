"""What all tests share."""

from __future__ import annotations

import pytest
from hypothesis import settings

from telling import LINES

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the tests had to tell."""
    if LINES:
        terminalreporter.section("run for real")
        for line in LINES:
            terminalreporter.line(line)
