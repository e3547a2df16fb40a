"""Lines for a GitLab job log: the output of a step's tools is in a section that is folded at first.

Source: docs.gitlab.com/ci/jobs/job_logs (custom collapsible sections).
"""

from __future__ import annotations

import re
import time

from autoclave.console.plain import PlainScreen
from autoclave.model.verdict import Verdict

_ERASE = "\x1b[0K"


class GitLabScreen(PlainScreen):
    """Lines with a time; tool output is folded, verdicts and warnings stay visible."""

    _open = ""

    def line(self, step: str, text: str) -> None:
        """Print a line of a step's tool."""
        if not self._open:
            self._open = re.sub(r"[^a-z0-9_.-]", "_", f"autoclave_{step}_{time.monotonic_ns()}")
            title = f"{step}: output of its tools"
            self._mark(f"section_start:{int(time.time())}:{self._open}[collapsed=true]\r{_ERASE}{title}")
        super().line(step, text)

    def begin(self, step: str, what: str) -> None:
        """Report that a step begins."""
        self._fold()
        super().begin(step, what)

    def progress(self, step: str, text: str) -> None:
        """Print how far something is, within the folded output of the step's tools."""
        self.line(step, text)

    def note(self, step: str, text: str) -> None:
        """Print something worth knowing."""
        self._fold()
        super().note(step, text)

    def warn(self, step: str, text: str) -> None:
        """Print something that must not be overlooked."""
        self._fold()
        super().warn(step, text)

    def verdict(self, verdict: Verdict, seconds: float, what: str) -> None:
        """Print the verdict of a gate."""
        self._fold()
        super().verdict(verdict, seconds, what)

    def close(self) -> None:
        """End the output."""
        self._fold()

    def _fold(self) -> None:
        if self._open:
            name, self._open = self._open, ""
            self._mark(f"section_end:{int(time.time())}:{name}\r{_ERASE}")

    def _mark(self, text: str) -> None:
        with self._lock:
            print(f"{_ERASE}{text}", file=self._err, flush=True)
