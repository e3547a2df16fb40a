"""Read a JUnit report of many cases: ours against the standard library's tree, in fresh processes.

    python benchmarks/bench_junit.py [--cases 1000000] [--rounds 3]

Prints seconds and peak memory of each, and the ratios (ours / theirs, below 1 is better).
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OURS = """
from autoclave.junit import reader as junit
with open(path, "rb") as stream:
    facts = junit.read(stream)
assert not facts.defect, facts.defect
assert facts.passed + facts.failed == cases
"""
THEIRS = """
from xml.etree import ElementTree
root = ElementTree.parse(path).getroot()
assert sum(1 for _ in root.iter("testcase")) == cases
"""


def write(path: Path, cases: int) -> None:
    """Write what pytest writes: a requirement id per case, one failure in a thousand."""
    failures = -(-cases // 1000)
    head = f'<testsuites name="pytest tests"><testsuite name="pytest" failures="{failures}" tests="{cases}">'
    with path.open("w") as file:
        file.write(head)
        for case in range(cases):
            file.write(f'<testcase classname="tests.unit.test_alarm" name="test_limit[{case}]" time="0.001">')
            file.write(
                f'<properties><property name="requirement" value="SRS-{case % 200:03}" /></properties>'
            )
            if case % 1000 == 0:
                file.write(f'<failure message="assert 85 &gt;= 88">{"a line of the trace " * 30}</failure>')
            file.write("</testcase>")
        file.write("</testsuite></testsuites>")


def child(code: str, path: str, cases: int) -> None:
    """Run one reader and print its seconds and peak memory (MiB)."""
    began = time.perf_counter()
    exec(code, {"path": path, "cases": cases})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(time.perf_counter() - began, peak)


def measure(reader: str, path: Path, cases: int) -> tuple[float, float]:
    """Run one reader in a fresh process."""
    argv = [sys.executable, __file__, "--child", reader, "--file", str(path), "--cases", str(cases)]
    seconds, peak = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return float(seconds), float(peak)


def compare(cases: int, rounds: int) -> None:
    """Measure both readers in turn, round by round, and print medians."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "junit.xml"
        write(path, cases)
        print(f"{cases} cases, {path.stat().st_size / 2**20:.0f} MiB, {rounds} rounds, medians")
        pairs = [(measure("ours", path, cases), measure("theirs", path, cases)) for _ in range(rounds)]
    for name, at in (("junit.read", 0), ("ElementTree.parse", 1)):
        seconds, peak = (statistics.median(pair[at][part] for pair in pairs) for part in (0, 1))
        print(f"{name:18} {seconds:6.2f} s {peak:8.0f} MiB")
    time_ratio = statistics.median(ours[0] / theirs[0] for ours, theirs in pairs)
    memory_ratio = statistics.median(ours[1] / theirs[1] for ours, theirs in pairs)
    print(f"ratio: time {time_ratio:.2f}, memory {memory_ratio:.3f}")


def main() -> None:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(OURS if args.child == "ours" else THEIRS, args.file, args.cases)
    else:
        compare(args.cases, args.rounds)


if __name__ == "__main__":
    main()
