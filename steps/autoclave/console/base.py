"""The interface of all screens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from autoclave.model.verdict import Verdict


class Screen(Protocol):
    """Where a run reports what it does. Methods may be called from several threads."""

    def begin(self, step: str, what: str) -> None:
        """Show that a step begins."""

    def line(self, step: str, text: str) -> None:
        """Show a line that a step's tool printed."""

    def progress(self, step: str, text: str) -> None:
        """Show how far something is; the next one replaces it where that can be."""

    def note(self, step: str, text: str) -> None:
        """Show a note."""

    def warn(self, step: str, text: str) -> None:
        """Show a warning."""

    def command(self, text: str) -> None:
        """Show an external command, as a line to paste."""

    def verdict(self, verdict: Verdict, seconds: float, what: str) -> None:
        """Show the verdict of a gate."""

    def skip(self, step: str, why: str) -> None:
        """Show that a step is skipped, because its record is valid."""

    def result(self, text: str, data: Mapping[str, Any]) -> None:
        """Print a result of the command."""

    def close(self) -> None:
        """End the output."""
