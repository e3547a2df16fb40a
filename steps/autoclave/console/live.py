"""The live screen of a terminal: a table of the steps; everything else scrolls above it."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from autoclave.model.verdict import Verdict
from autoclave.runtime.neutral import neutralise, neutralise_lines


class _Row(Struct):
    state: str
    text: str
    since: float
    seconds: float = 0.0


_STYLE = {"passed": "bold green", "CLOSED": "bold red", "skipped": "cyan"}
_MARK = {"passed": "✔", "CLOSED": "✘", "skipped": "↷"}


class LiveScreen:
    """Draws with rich on standard error; results go to standard output when the table is finished."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._rows: dict[str, _Row] = {}
        self._progress = ""
        self._live = Live(
            console=self._console, get_renderable=self.table, refresh_per_second=8, transient=False
        )
        self._results: list[str] = []
        self.warnings: list[str] = []

    def begin(self, step: str, what: str) -> None:
        """Show that a step begins."""
        self._rows[step] = _Row("running", what, time.monotonic())
        self._live.start()
        self._live.refresh()

    def line(self, step: str, text: str) -> None:
        """Show a line that a step's tool printed."""
        self._console.print(Text(f"{step:<9} │ ", "dim") + Text(neutralise(text)))

    def progress(self, step: str, text: str) -> None:
        """Show how far something is, in the row of the steps that run, or above them when none does."""
        self._progress = f"{step}: {text}"
        if not any(row.state == "running" for row in self._rows.values()):
            self.note(step, text)

    def note(self, step: str, text: str) -> None:
        """Show a note."""
        self._console.print(Text(f"{step:<9}   ", "dim") + Text(neutralise(text)))

    def warn(self, step: str, text: str) -> None:
        """Show a warning."""
        self.warnings.append(text)
        self._console.print(Text(f"{step:<9} ! ", "bold yellow") + Text(neutralise(text), "yellow"))

    def command(self, text: str) -> None:
        """Show an external command, as a line to paste."""
        self._console.print(Text(f"+ {neutralise(text)}", "blue"), soft_wrap=True)

    def verdict(self, verdict: Verdict, seconds: float, what: str) -> None:
        """Show the verdict of a gate."""
        state = "passed" if verdict.passed else "CLOSED"
        self._progress = ""
        self._rows[verdict.gate] = _Row(state, what, 0.0, seconds)
        for reason in verdict.reasons:
            self._console.print(Text(f"{verdict.gate:<9} ✘ ", "bold red") + Text(neutralise(reason), "red"))
        self._live.refresh()

    def skip(self, step: str, why: str) -> None:
        """Show that a step is skipped, because its record is valid."""
        self._rows[step] = _Row("skipped", why, 0.0)
        self._live.start()
        self._live.refresh()

    def result(self, text: str, data: Mapping[str, Any]) -> None:
        """Print a result of the command."""
        self._results.append(text)

    def close(self) -> None:
        """End the output."""
        self._live.stop()
        for text in self._results:
            print(neutralise_lines(text), file=sys.stdout, flush=True)
        self._results.clear()

    def table(self) -> Table:
        """Return the steps with their states."""
        table = Table.grid(padding=(0, 2))
        for step, row in self._rows.items():
            running = row.state == "running"
            mark = Spinner("dots") if running else Text(_MARK[row.state], _STYLE[row.state])
            seconds = time.monotonic() - row.since if running else row.seconds
            table.add_row(
                mark,
                Text(step, "bold"),
                Text(row.state, _STYLE.get(row.state, "yellow")),
                Text(f"{seconds:5.1f} s" if seconds else "", "dim"),
                Text(neutralise(row.text), overflow="ellipsis", no_wrap=True),
            )
        if self._progress and any(row.state == "running" for row in self._rows.values()):
            moved = Text(neutralise(self._progress), "dim", overflow="ellipsis", no_wrap=True)
            table.add_row(Text(""), Text(""), Text(""), Text(""), moved)
        return table
