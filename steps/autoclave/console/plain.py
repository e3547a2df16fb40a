"""Plain stamped lines.

Progress goes to standard error; results (digests, records) to standard output, so that a step's result
can be taken by a script.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from autoclave.model.verdict import Verdict


class PlainScreen:
    """Stamped lines."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out, self._err = out or sys.stdout, err or sys.stderr
        self._lock = threading.Lock()

    def begin(self, step: str, what: str) -> None:
        """A step begins."""
        self._print(step, f"▶ {what}")

    def line(self, step: str, text: str) -> None:
        """A step's tool printed a line."""
        self._print(step, f"│ {text}")

    def note(self, step: str, text: str) -> None:
        """Something worth knowing."""
        self._print(step, text)

    def warn(self, step: str, text: str) -> None:
        """Something that must not be overlooked."""
        self._print(step, f"WARNING: {text}")

    def command(self, text: str) -> None:
        """An external command, as a line to paste."""
        self._print("", f"+ {text}")

    def verdict(self, verdict: Verdict, seconds: float, what: str) -> None:
        """A gate has spoken."""
        mark = "✔ passed" if verdict.passed else "✘ CLOSED"
        self._print(verdict.gate, f"{mark} {what} ({seconds:.1f} s)")
        for reason in verdict.reasons:
            self._print(verdict.gate, f"  - {reason}")

    def skip(self, step: str, why: str) -> None:
        """A step is not run, because its record already holds."""
        self._print(step, f"↷ skipped: {why}")

    def result(self, text: str, data: Mapping[str, Any]) -> None:
        """What the command was asked for."""
        with self._lock:
            print(text, file=self._out, flush=True)

    def close(self) -> None:
        """Nothing more comes."""

    def _print(self, step: str, text: str) -> None:
        stamp = datetime.now(UTC).strftime("%H:%M:%S")
        with self._lock:
            print(f"{stamp} {step:<9} {text}", file=self._err, flush=True)
