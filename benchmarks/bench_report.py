"""Write the release report of a large image: seconds, peak memory, and whether both grow in step with it.

    python benchmarks/bench_report.py [--components 50000] [--findings 100000] [--rounds 3]

Made-up facts, laid out as real ones: a finding has a title of some 60 characters and a package URL, a
component a supplier, a license and two dependencies. They lie in a store as signed records. Measured is the
whole `autoclave report` in a process of its own, with its start, the verification of the records, JSON
and page; its peak is read with getrusage. Then the same for a half and a quarter of it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from autoclave.cli import screen
from autoclave.context import Context
from autoclave.evidence import predicates
from autoclave.evidence.statement import SBOM, VULNS
from autoclave.model.facts import Database, Finding, Kind, ScanFacts, Severity
from autoclave.model.plan import StepPlan
from autoclave.model.verdict import Verdict
from autoclave.runtime.options import Signing
from autoclave.store.oci import CONFIG, LAYER, MANIFEST, Descriptor, Manifest, encode

SECONDS, MIB = 10.0, 500.0
"""What a report over 50,000 components and 100,000 findings may take."""

_DEVICE = """\
[device]
name = "pump"
version = "1"
safety-class = "B"
[[image]]
name = "app"
"""


def write(folder: Path, components: int, findings: int) -> None:
    """Make a device whose image has a scan and an SBOM of that size."""
    (folder / "autoclave.toml").write_text(_DEVICE)
    ctx = Context(Signing(folder=str(folder)), screen.choose(as_json=False))
    image, now = _image(ctx), ctx.now()
    planned = StepPlan(step="scan", image="app", commands=(), tools={}, inputs={})
    made = ctx.info(planned, Verdict("scan"), now, now)
    ctx.attach(image, VULNS, predicates.vulns(made, _scan(components, findings)))
    ctx.attach(image, SBOM, msgspec.json.encode(_bom(components, now)))


def _image(ctx: Context) -> Descriptor:
    layer = ctx.store.write([b"layer"], media_type=LAYER)
    config = msgspec.json.encode({"rootfs": {"type": "layers", "diff_ids": [layer.digest]}})
    described = ctx.store.write([config], media_type=CONFIG)
    manifest = Manifest(schema_version=2, media_type=MANIFEST, config=described, layers=[layer])
    image = ctx.store.write([encode(manifest)], media_type=MANIFEST)
    ctx.store.tag("app", image)
    return image


def _scan(components: int, findings: int) -> ScanFacts:
    now = datetime.now(UTC)
    severities = list(Severity)
    return ScanFacts(
        scanner="trivy",
        scanner_version="0.74.0",
        database=Database(updated=now, digest="sha256:" + "1" * 64, size=200_000_000),
        started=now,
        finished=now,
        os="debian 12",
        packages=components,
        findings=tuple(
            Finding(
                id=f"CVE-2026-{number}",
                kind=Kind.VULNERABILITY,
                severity=severities[number % 5],
                title=f"a heap-based buffer overflow <in> package {number // 2} lets others & me in",
                target="registry/app (debian 12.5)",
                package=f"package-{number // 2}",
                version=f"1.{number}.0-1",
                purl=f"pkg:deb/debian/package-{number // 2}@1.{number}.0-1?arch=amd64",
                fixed=f"1.{number}.1" if number % 3 else "",
                cvss=(number % 100) / 10,
            )
            for number in range(findings)
        ),
    )


def _bom(components: int, now: datetime) -> dict[str, object]:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "metadata": {"timestamp": now},
        "components": [
            {
                "type": "library",
                "bom-ref": f"ref-{number}",
                "name": f"package-{number}",
                "version": f"1.{number}.0-1",
                "purl": f"pkg:deb/debian/package-{number}@1.{number}.0-1?arch=amd64&distro=debian-12.5",
                "supplier": {"name": f"Maintainers of {number} <package-{number}@lists.example.org>"},
                "licenses": [{"license": {"id": "GPL-2.0-or-later"}}],
            }
            for number in range(components)
        ],
        "dependencies": [
            {"ref": f"ref-{number}", "dependsOn": [f"ref-{number + 1}", f"ref-{number + 2}"]}
            for number in range(components)
        ],
    }


def measure(folder: Path) -> tuple[float, float, float]:
    """Write the report once; return seconds, seconds of CPU and peak memory in MiB."""
    argv = [sys.executable, "-m", "autoclave", "report", "-C", str(folder)]
    began = time.perf_counter()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def compare(components: int, findings: int, rounds: int) -> bool:
    """Measure a quarter, a half and the whole; print medians; return whether it is within its limits."""
    print(f"{'components':>10} {'findings':>9} {'seconds':>8} {'of CPU':>7} {'MiB':>6} {'HTML MiB':>9}")
    times = []
    for share in (4, 2, 1):
        size = (components // share, findings // share)
        with tempfile.TemporaryDirectory() as name:
            # In a process of its own: a child inherits the peak of the process that starts it.
            argv = [sys.executable, __file__, "--make", name]
            argv += ["--components", str(size[0]), "--findings", str(size[1])]
            subprocess.run(argv, check=True)
            rows = [measure(Path(name)) for _ in range(rounds)]
            page = Path(name) / ".autoclave" / "reports" / "app" / "release.html"
            html = page.stat().st_size / 2**20
        seconds, cpu, most = (statistics.median(row[at] for row in rows) for at in range(3))
        print(f"{size[0]:>10} {size[1]:>9} {seconds:>8.2f} {cpu:>7.2f} {most:>6.0f} {html:>9.1f}")
        times.append(cpu)
    ratios = [f"{times[at + 1] / times[at]:.2f}" for at in (0, 1)]
    print(f"twice as much takes {' and '.join(ratios)} times as much CPU (2: linear)")
    return seconds <= SECONDS and most <= MIB


def main() -> int:
    """Parse the arguments; the exit code says whether the largest report was within its limits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--components", type=int, default=50_000)
    parser.add_argument("--findings", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.make:
        write(args.make, args.components, args.findings)
        return 0
    return 0 if compare(args.components, args.findings, args.rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
