"""Lines for the log of a GitHub Actions job: tools' output in groups, annotations for what must be seen.

Every line of text passes through `neutralise`, so that none of it is a command; only the marks made here are.
Source: docs.github.com/en/actions/reference/workflow-commands-for-github-actions.
"""

from __future__ import annotations

from autoclave.console.plain import PlainScreen
from autoclave.model.verdict import Verdict
from autoclave.runtime.neutral import cut, neutralise


class GitHubScreen(PlainScreen):
    """Lines with a time; tool output is in groups, warnings and closed gates are annotations too."""

    _open = False

    def line(self, step: str, text: str) -> None:
        """Print a line of a step's tool."""
        if not self._open:
            self._open = True
            self._mark("group", f"{step}: output of its tools")
        super().line(step, text)

    def begin(self, step: str, what: str) -> None:
        """Report that a step begins."""
        self._fold()
        super().begin(step, what)

    def note(self, step: str, text: str) -> None:
        """Print something worth knowing."""
        self._fold()
        super().note(step, text)

    def warn(self, step: str, text: str) -> None:
        """Print something that must not be overlooked, and annotate the run with it."""
        self._fold()
        super().warn(step, text)
        self._mark("warning", text, title=f"autoclave {step}")

    def verdict(self, verdict: Verdict, seconds: float, what: str) -> None:
        """Print the verdict of a gate; a closed one annotates the run with its reasons."""
        self._fold()
        super().verdict(verdict, seconds, what)
        if not verdict.passed:
            reasons = "\n".join([f"CLOSED {what}", *(f"- {each}" for each in verdict.reasons)])
            self._mark("error", reasons, title=f"autoclave {verdict.gate}")

    def close(self) -> None:
        """End the output."""
        self._fold()

    def _fold(self) -> None:
        if self._open:
            self._open = False
            self._mark("endgroup", "")

    def _mark(self, command: str, text: str, *, title: str = "") -> None:
        shown = "\n".join(neutralise(line) for line in text.split("\n"))
        properties = f" title={_escape(neutralise(title), property_too=True)}" if title else ""
        with self._lock:
            print(f"::{command}{properties}::{cut(_escape(shown))}", file=self._err, flush=True)


def _escape(text: str, *, property_too: bool = False) -> str:
    """Escape text as the runner reads it back: what separates lines, and in a property what ends one."""
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return escaped.replace(":", "%3A").replace(",", "%2C") if property_too else escaped
