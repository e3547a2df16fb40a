"""What a person or a machine sees of a run: plain stamped lines, a live terminal, or JSON lines.

Progress goes to standard error; results (digests, records) to standard output, so that a step's result
can be taken by a script. With JSON everything goes to standard output, one object per line.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, TextIO

import msgspec

from autoclave.gates.verdict import Verdict


class Screen(Protocol):
    """Where a run tells what it does. Methods may be called from several threads."""

    def started(self, step: str, what: str) -> None:
        """A step begins."""

    def line(self, step: str, text: str) -> None:
        """A step's tool printed a line."""

    def note(self, step: str, text: str) -> None:
        """Something worth knowing."""

    def warn(self, step: str, text: str) -> None:
        """Something that must not be overlooked."""

    def command(self, text: str) -> None:
        """An external command, as a line to paste."""

    def verdict(self, verdict: Verdict, seconds: float, what: str) -> None:
        """A gate has spoken."""

    def skipped(self, step: str, why: str) -> None:
        """A step is not run, because its record already holds."""

    def result(self, text: str, data: Mapping[str, Any]) -> None:
        """What the command was asked for."""

    def close(self) -> None:
        """Nothing more comes."""


def chosen(*, as_json: bool) -> Screen:
    """Return the screen that fits: JSON when asked for, GitLab's log, a live terminal, else plain lines."""
    if as_json:
        return JsonScreen()
    if os.environ.get("GITLAB_CI") == "true":
        from autoclave.screen_gitlab import GitLabScreen

        return GitLabScreen()
    if sys.stderr.isatty():
        from autoclave.screen_live import LiveScreen

        return LiveScreen()
    return PlainScreen()


class PlainScreen:
    """Stamped lines."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out, self._err = out or sys.stdout, err or sys.stderr
        self._lock = threading.Lock()

    def started(self, step: str, what: str) -> None:
        """A step begins."""
        self._say(step, f"▶ {what}")

    def line(self, step: str, text: str) -> None:
        """A step's tool printed a line."""
        self._say(step, f"│ {text}")

    def note(self, step: str, text: str) -> None:
        """Something worth knowing."""
        self._say(step, text)

    def warn(self, step: str, text: str) -> None:
        """Something that must not be overlooked."""
        self._say(step, f"WARNING: {text}")

    def command(self, text: str) -> None:
        """An external command, as a line to paste."""
        self._say("", f"+ {text}")

    def verdict(self, verdict: Verdict, seconds: float, what: str) -> None:
        """A gate has spoken."""
        mark = "✔ passed" if verdict.passed else "✘ CLOSED"
        self._say(verdict.gate, f"{mark} {what} ({seconds:.1f} s)")
        for reason in verdict.reasons:
            self._say(verdict.gate, f"  - {reason}")

    def skipped(self, step: str, why: str) -> None:
        """A step is not run, because its record already holds."""
        self._say(step, f"↷ skipped: {why}")

    def result(self, text: str, data: Mapping[str, Any]) -> None:
        """What the command was asked for."""
        with self._lock:
            print(text, file=self._out, flush=True)

    def close(self) -> None:
        """Nothing more comes."""

    def _say(self, step: str, text: str) -> None:
        stamp = datetime.now(UTC).strftime("%H:%M:%S")
        with self._lock:
            print(f"{stamp} {step:<9} {text}", file=self._err, flush=True)


class JsonScreen:
    """One JSON object per line on standard output, for machines."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._lock = threading.Lock()

    def started(self, step: str, what: str) -> None:
        """A step begins."""
        self._emit("started", step=step, text=what)

    def line(self, step: str, text: str) -> None:
        """A step's tool printed a line."""
        self._emit("line", step=step, text=text)

    def note(self, step: str, text: str) -> None:
        """Something worth knowing."""
        self._emit("note", step=step, text=text)

    def warn(self, step: str, text: str) -> None:
        """Something that must not be overlooked."""
        self._emit("warning", step=step, text=text)

    def command(self, text: str) -> None:
        """An external command, as a line to paste."""
        self._emit("command", text=text)

    def verdict(self, verdict: Verdict, seconds: float, what: str) -> None:
        """A gate has spoken."""
        self._emit(
            "verdict",
            step=verdict.gate,
            passed=verdict.passed,
            reasons=verdict.reasons,
            seconds=round(seconds, 3),
            text=what,
        )

    def skipped(self, step: str, why: str) -> None:
        """A step is not run, because its record already holds."""
        self._emit("skipped", step=step, text=why)

    def result(self, text: str, data: Mapping[str, Any]) -> None:
        """What the command was asked for."""
        self._emit("result", **data)

    def close(self) -> None:
        """Nothing more comes."""

    def _emit(self, event: str, **data: Any) -> None:
        line = msgspec.json.encode({"event": event, "time": datetime.now(UTC), **data}).decode()
        with self._lock:
            print(line, file=self._out, flush=True)
