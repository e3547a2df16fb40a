"""Normalise a Trivy report of many findings: ours against `trivy convert` of the same file.

    AUTOCLAVE_SCANNER_COMMAND=trivy python benchmarks/bench_findings.py [--findings 100000] [--rounds 3]
        [--sarif]

The report is made from the recorded real one (tests/fixtures/reports/trivy_bad.json): its
vulnerabilities repeated under new ids and packages, each with a description and references as long as
usual ones. Prints seconds and peak memory of each, and the ratios (ours / theirs, below 1 is better).

The peer is `trivy convert --format json`, which only reads and writes the report. --sarif adds SARIF: minutes
per round at 100,000 findings, as its time grows with the square of their number.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

RECORDED = Path(__file__).parents[1] / "tests" / "fixtures" / "reports" / "trivy_bad.json"
PER_PACKAGE = 50


def write(path: Path, findings: int) -> None:
    """Write a report of that many vulnerabilities in OS packages."""
    report = json.loads(RECORDED.read_bytes())
    result = report["Results"][0]
    (package,), (one, *_) = result["Packages"], result["Vulnerabilities"]
    one |= {"Description": "An attacker can. " * 30, "References": ["https://example.org/advisory/1"] * 8}
    result["Packages"], result["Vulnerabilities"] = [], []
    for number in range(findings):
        name = f"package-{number // PER_PACKAGE}"
        if number % PER_PACKAGE == 0:
            result["Packages"].append(package | {"ID": f"{name}@1", "Name": name})
        found = copy.deepcopy(one) | {
            "VulnerabilityID": f"CVE-2024-{number}",
            "PkgName": name,
            "PkgID": f"{name}@1",
        }
        result["Vulnerabilities"].append(found)
    path.write_text(json.dumps(report, indent=2))


def child(path: Path) -> None:
    """Normalise once and print seconds, peak memory (MiB) and the number of findings."""
    from autoclave import tools
    from autoclave.model.facts import Database
    from autoclave.scanners.trivy import report as trivy_report

    image = json.loads(RECORDED.read_bytes())["Metadata"]["ImageID"]
    began = time.perf_counter()
    database = Database(updated=datetime.now(UTC), digest="")
    known = trivy_report.Advisories(database=database, feeds=frozenset())
    content = trivy_report.read(
        path, config_digest=image, version=tools.find("trivy").tested[-1], advisories=known
    )
    seconds = time.perf_counter() - began
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, len(content.findings))


def ours(path: Path) -> tuple[float, float]:
    """Normalise in a fresh process."""
    argv = [sys.executable, __file__, "--child", str(path)]
    seconds, peak, _ = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return float(seconds), float(peak)


def theirs(path: Path, form: str) -> tuple[float, float]:
    """Let Trivy read the report and write it in another form."""
    program = os.environ.get("AUTOCLAVE_SCANNER_COMMAND", "trivy").removeprefix("trivy=")
    began = time.perf_counter()
    argv = [program, "convert", "--quiet", "--format", form, "--output", os.devnull, str(path)]
    process = subprocess.Popen(argv)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def compare(findings: int, rounds: int, forms: list[str]) -> None:
    """Measure each in turn, round by round, and print medians and ratios."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trivy.json"
        # In a process of its own: a child inherits the peak of the process that starts it.
        subprocess.run(
            [sys.executable, __file__, "--make", str(path), "--findings", str(findings)], check=True
        )
        print(f"{findings} findings, {path.stat().st_size / 2**20:.0f} MiB, {rounds} rounds, medians")
        rows = [(ours(path), *(theirs(path, form) for form in forms)) for _ in range(rounds)]
    for at, name in enumerate(("trivy_report.read", *(f"trivy convert {form}" for form in forms))):
        seconds, peak = (statistics.median(row[at][part] for row in rows) for part in (0, 1))
        ratios = [statistics.median(row[0][part] / row[at][part] for row in rows) for part in (0, 1)]
        print(
            f"{name:20} {seconds:6.2f} s {peak:6.0f} MiB  ratio: time {ratios[0]:.2f} memory {ratios[1]:.2f}"
        )


def main() -> None:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--findings", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sarif", action="store_true", help="compare with SARIF as well")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child)
    elif args.make:
        write(args.make, args.findings)
    else:
        compare(args.findings, args.rounds, ["json", "sarif"] if args.sarif else ["json"])


if __name__ == "__main__":
    main()
