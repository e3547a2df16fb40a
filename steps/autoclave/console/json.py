"""JSON lines for machines."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

from autoclave.model.verdict import Verdict


class JsonScreen:
    """One JSON object per line on standard output, for machines."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._lock = threading.Lock()

    def begin(self, step: str, what: str) -> None:
        """Show that a step begins."""
        self._emit("started", step=step, text=what)

    def line(self, step: str, text: str) -> None:
        """Show a line that a step's tool printed."""
        self._emit("line", step=step, text=text)

    def progress(self, step: str, text: str) -> None:
        """Show how far something is."""
        self._emit("progress", step=step, text=text)

    def note(self, step: str, text: str) -> None:
        """Show a note."""
        self._emit("note", step=step, text=text)

    def warn(self, step: str, text: str) -> None:
        """Show a warning."""
        self._emit("warning", step=step, text=text)

    def command(self, text: str) -> None:
        """Show an external command, as a line to paste."""
        self._emit("command", text=text)

    def verdict(self, verdict: Verdict, seconds: float, what: str) -> None:
        """Show the verdict of a gate."""
        self._emit(
            "verdict",
            step=verdict.gate,
            passed=verdict.passed,
            reasons=verdict.reasons,
            seconds=round(seconds, 3),
            text=what,
        )

    def skip(self, step: str, why: str) -> None:
        """Show that a step is skipped, because its record is valid."""
        self._emit("skipped", step=step, text=why)

    def result(self, text: str, data: Mapping[str, Any]) -> None:
        """Print a result of the command."""
        self._emit("result", **data)

    def close(self) -> None:
        """End the output."""

    def _emit(self, event: str, **data: Any) -> None:
        with self._lock:
            print(encode({"event": event, "time": datetime.now(UTC), **data}), file=self._out, flush=True)


def encode(data: Mapping[str, Any]) -> str:
    """Return one line of JSON in ASCII: what steers a terminal or a host's log is an escape in it."""
    text = json.dumps(msgspec.to_builtins(data), ensure_ascii=True, separators=(",", ":"))
    return text.replace("\x7f", "\\u007f").replace("##", "#\\u0023")
