"""Write the release report of a large image: seconds, peak memory, and whether both grow in step with it.

    python benchmarks/bench_report.py [--components 50000] [--findings 100000] [--rounds 3]

Made-up facts, laid out as real ones: a finding has a title of some 60 characters and a package URL, a
component a supplier, a license and two dependencies; the register has 200 entries. Measured are the report
from these facts, its JSON and its page, both written to disk, in a fresh process whose peak is read with
getrusage. What the facts alone take (their process before it begins) is told as well. Then the same for a
half and a quarter of it.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECONDS, MIB = 10.0, 500.0
"""What a report over 50,000 components and 100,000 findings may take."""


def peak() -> float:
    """Return this process's peak memory in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def child(components: int, findings: int, folder: Path) -> None:
    """Write one report; print seconds (clock, CPU), peak memory with and without it, sizes of both files."""
    import msgspec

    from autoclave.reporting.assembled import assembled
    from autoclave.reporting.page import page
    from autoclave.reports.files import replaced

    known = facts(components, findings)
    before = peak()
    began, used = time.perf_counter(), time.process_time()
    report = assembled(known)
    replaced(folder, "release.json", [msgspec.json.encode(report)])
    made = replaced(folder, "release.html", page(report))
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    sizes = [(folder / "release.json").stat().st_size, made.stat().st_size]
    print(seconds, cpu, peak(), before, *(size / 2**20 for size in sizes))


def facts(components: int, findings: int):  # type: ignore[no-untyped-def]
    """Return what is known of an image with so many components and findings."""
    from msgspec import structs

    from autoclave import clauses
    from autoclave.device import SafetyClass
    from autoclave.facts import Database, Finding, Kind, ScanFacts, Severity
    from autoclave.gates.release import Evidence
    from autoclave.governed import Component, Declared, SoupEntry
    from autoclave.policy import profile
    from autoclave.reporting.known import Known

    now = datetime.now(UTC)
    digest = "sha256:" + "1" * 64
    scan = ScanFacts(
        scanner="trivy",
        scanner_version="0.74.0",
        database=Database(updated=now, digest=digest, size=200_000_000),
        started=now,
        finished=now,
        os="debian 12",
        packages=components,
        findings=tuple(
            Finding(
                id=f"CVE-2026-{number}",
                kind=Kind.VULNERABILITY,
                severity=list(Severity)[number % 5],
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
    listed = tuple(
        Component(
            name=f"package-{number}",
            version=f"1.{number}.0-1",
            purl=f"pkg:deb/debian/package-{number}@1.{number}.0-1?arch=amd64&distro=debian-12.5",
            supplier=f"Maintainers of package {number} <package-{number}@lists.example.org>",
            license="GPL-2.0-or-later",
            distro="debian-12.5",
            ref=f"ref-{number}",
            depends=(f"ref-{number + 1}", f"ref-{number + 2}"),
        )
        for number in range(components)
    )
    register = tuple(
        SoupEntry(
            title=f"entry {number}",
            component=f"pkg:pypi/x-{number}",
            version="1.*",
            manufacturer="m",
            why="w",
        )
        for number in range(199)
    )
    debian = structs.replace(register[0], title="Debian", component="pkg:deb/debian/*", version="debian-12*")
    return Known(
        device="pump",
        version="1",
        safety_class="B",
        image="app",
        evidence=Evidence(
            finished={},
            rejected=(),
            build=None,
            unit_test=None,
            scan=scan,
            config=digest,
            digest=digest,
            components=listed,
            declared=Declared(register=(*register, debian)),
        ),
        records=(sbom(digest, now),),
        summary="",
        signature="",
        policy=profile(SafetyClass.B),
        policy_digest=digest,
        policy_then=None,
        trust="trust.toml",
        now=now + timedelta(seconds=1),
        sources=clauses.load(),
    )


def sbom(digest: str, now: datetime):  # type: ignore[no-untyped-def]
    """Return an SBOM record; the components are in the evidence already."""
    from autoclave.evidence import statement
    from autoclave.evidence.records import Record
    from autoclave.store.oci import Descriptor

    body = {"bomFormat": "CycloneDX", "specVersion": "1.7", "metadata": {"timestamp": now}}
    return Record(
        digest=digest,
        envelope=Descriptor(media_type="x", digest=digest, size=1),
        statement=statement.parse(statement.make(digest, statement.SBOM, body)),
        keys=(),
        finished=now,
    )


def measured(components: int, findings: int) -> list[float]:
    """Write the report in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, __file__, "--child", folder]
        argv += ["--components", str(components), "--findings", str(findings)]
        out = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [float(word) for word in out.split()]


def compare(components: int, findings: int, rounds: int) -> bool:
    """Measure the whole, a half and a quarter; print medians and tell whether they keep within bounds."""
    print(
        f"{'components':>10} {'findings':>9} {'seconds':>8} {'of CPU':>7} {'MiB':>6} "
        f"{'facts alone':>12} {'JSON MiB':>9} {'HTML MiB':>9}"
    )
    times = []
    kept = True
    for share in (4, 2, 1):
        rows = [measured(components // share, findings // share) for _ in range(rounds)]
        medians = [statistics.median(row[at] for row in rows) for at in range(6)]
        seconds, cpu, most, before, json, html = medians
        size = f"{components // share:>10} {findings // share:>9}"
        print(f"{size} {seconds:>8.2f} {cpu:>7.2f} {most:>6.0f} {before:>12.0f} {json:>9.1f} {html:>9.1f}")
        times.append(cpu)
        kept = seconds <= SECONDS and most <= MIB
    ratios = [f"{times[at + 1] / times[at]:.2f}" for at in (0, 1)]
    print(f"twice as much takes {' and '.join(ratios)} times as much CPU (2: linear)")
    return kept


def main() -> int:
    """Parse the arguments; the exit code tells whether the largest report kept within bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--components", type=int, default=50_000)
    parser.add_argument("--findings", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.components, args.findings, args.child)
        return 0
    return 0 if compare(args.components, args.findings, args.rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
