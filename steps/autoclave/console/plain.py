"""Plain lines with a time.

Progress goes to standard error; results (digests, records) to standard output, so that a script
can read them.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from autoclave.model.verdict import Verdict
from autoclave.runtime.neutral import neutralise, neutralise_lines


class PlainScreen:
    """Lines with a time."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out, self._err = out or sys.stdout, err or sys.stderr
        self._lock = threading.Lock()

    def begin(self, step: str, what: str) -> None:
        """Show that a step begins."""
        self._print(step, f"▶ {what}")

    def line(self, step: str, text: str) -> None:
        """Show a line that a step's tool printed."""
        self._print(step, f"│ {text}")

    def progress(self, step: str, text: str) -> None:
        """Show how far something is."""
        self._print(step, text)

    def note(self, step: str, text: str) -> None:
        """Show a note."""
        self._print(step, text)

    def warn(self, step: str, text: str) -> None:
        """Show a warning."""
        self._print(step, f"WARNING: {text}")

    def command(self, text: str) -> None:
        """Show an external command, as a line to paste."""
        self._print("", f"+ {text}")

    def verdict(self, verdict: Verdict, seconds: float, what: str) -> None:
        """Show the verdict of a gate."""
        mark = "✔ passed" if verdict.passed else "✘ CLOSED"
        self._print(verdict.gate, f"{mark} {what} ({seconds:.1f} s)")
        for reason in verdict.reasons:
            self._print(verdict.gate, f"  - {reason}")

    def skip(self, step: str, why: str) -> None:
        """Show that a step is skipped, because its record is valid."""
        self._print(step, f"↷ skipped: {why}")

    def result(self, text: str, data: Mapping[str, Any]) -> None:
        """Print a result of the command."""
        with self._lock:
            print(neutralise_lines(text), file=self._out, flush=True)

    def close(self) -> None:
        """End the output."""

    def _print(self, step: str, text: str) -> None:
        stamp = datetime.now(UTC).strftime("%H:%M:%S")
        with self._lock:
            print(f"{stamp} {step:<9} {neutralise(text)}", file=self._err, flush=True)
