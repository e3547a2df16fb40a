"""What each test took: its own seconds, those of its set-up, and how many of them it computed.

`pytest --timings FILE` writes one line a test: node, set-up, call and clean-up in seconds, and seconds of
CPU of this process and the commands that it started. The rest is waiting: for the engine, a server, a
cluster, or the processor. `python tests/timings.py FILE` prints a table by file for docs/testing.md.
"""

from __future__ import annotations

import resource
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PHASES = ("setup", "call", "teardown")


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


class Timings:
    """Measures phases where tests run, and writes them where the run was started."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.found: dict[str, dict[str, float]] = defaultdict(dict)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[Any]:
        """Send the CPU seconds used so far along with each report: differences are taken at the end."""
        report = yield
        report.user_properties.append((f"cpu-{call.when}", _cpu()))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a phase."""
        line = self.found[report.nodeid]
        line[str(report.when)] = report.duration
        line |= {name: value for name, value in report.user_properties if str(name).startswith("cpu-")}

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the lines."""
        if self.file is None or hasattr(session.config, "workeroutput"):
            return
        with self.file.open("w", encoding="utf-8") as file:
            for node, line in self.found.items():
                seconds = [line.get(phase, 0.0) for phase in PHASES]
                cpu = line.get("cpu-teardown", 0.0) - line.get("cpu-setup", 0.0)
                file.write("\t".join([node, *(f"{each:.2f}" for each in [*seconds, cpu])]) + "\n")


def table(lines: list[str]) -> str:
    """Return a Markdown table: tests, seconds and CPU seconds by file, the longest first."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0] * 5)
    for line in lines:
        node, *values = line.split("\t")
        row = sums[node.partition("::")[0]]
        for at, value in enumerate([1.0, *map(float, values)]):
            row[at] += value
    ordered = sorted(sums.items(), key=lambda each: -sum(each[1][1:4]))
    head = (
        "| file | tests | set-up s | call s | clean-up s | of these computed s |\n|---|---|---|---|---|---|\n"
    )
    return head + "".join(
        f"| {name} | {row[0]:.0f} | {' | '.join(f'{each:.0f}' for each in row[1:])} |\n"
        for name, row in ordered
    )


if __name__ == "__main__":
    sys.stdout.write(table(Path(sys.argv[1]).read_text("utf-8").splitlines()))
