"""The table of docs/scanning.md: what the real Trivy judges of systems and languages, and what the gate says.

Each row is a scan of a tiny image (`builders.systems`). The database has an advisory about each package in
the feed that `scanners.trivy.feeds` expects: where Trivy is said to judge, it must find it.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import pages
import worker_results
from autoclave import inventory
from autoclave.device.schema import SafetyClass
from autoclave.errors import ScannerError
from autoclave.gates import gaps, scan
from autoclave.model.facts import Kind, ScanFacts
from autoclave.policy.load import read_profile
from autoclave.runtime.shell import Shell
from autoclave.scanners.trivy import Trivy
from autoclave.store.layout import LayoutStore
from builders import real_trivy, systems
from fixtures.reports import record, tiny_layout

ID = "CVE-2026-99999"
SYSTEMS = {each.title: each for each in systems.SYSTEMS}
LANGUAGES = [each.title for each in systems.list_languages(b"")]
FEEDS = (
    "debian 12", "ubuntu 24.04", "alpine 3.22", "wolfi", "chainguard", "alma 9", "rocky 9", "Oracle Linux 9",
    "amazon linux 2023", "SUSE Linux Enterprise 15.7", "openSUSE Leap 16.0", "openSUSE Tumbleweed",
    "Photon OS 5.0", "Azure Linux 3.0", "CBL-Mariner 2.0",
)  # fmt: skip
PACKAGES = {
    "pip": "jinja2", "npm": "lodash", "maven": "org.apache.logging.log4j:log4j-core",
    "go": "go.etcd.io/bbolt", "cargo": "regex", "rubygems": "rack", "composer": "guzzlehttp/guzzle",
    "nuget": "newtonsoft.json",
    "erlang": "plug", "pub": "http", "swift": "github.com/apple/swift-nio",
}  # fmt: skip


def source(bucket: str, package: str, advisory: dict[str, Any]) -> dict[str, Any]:
    origin = {"ID": "test", "Name": bucket, "URL": "https://example.org"}
    return {"bucket": bucket, "source": origin, "advisories": {package: {ID: advisory}}}


@pytest.fixture(scope="module")
def scanner(tmp_path_factory: pytest.TempPathFactory) -> Trivy:
    folder = tmp_path_factory.mktemp("cache")
    facts = folder / "facts.json"
    sources = [source(each, "probe", {"FixedVersion": "2.0-r1"}) for each in FEEDS]
    below = {"VulnerableVersions": ["<99"], "PatchedVersions": ["99"]}
    sources += [source(f"{feed}::Test", package, below) for feed, package in PACKAGES.items()]
    known = {ID: {"Title": "an advisory for this table", "VendorSeverity": {"nvd": 2}}}
    facts.write_text(json.dumps({"sources": sources, "vulnerabilities": known}), "utf-8")
    record.database(folder, facts=facts)
    real_trivy.build_java_index(folder)
    return Trivy(Shell(), program=real_trivy.program(), cache=folder)


def read(scanner: Trivy, files: systems.Files, folder: Path) -> ScanFacts:
    """Scan an image with these files as the step does, with what its layers say."""
    layout, work = folder / "layout", folder / "work"
    work.mkdir()
    digest, _ = tiny_layout.write(layout, files)
    facts = scanner.scan(f"{layout}@{digest}", work).facts
    return scan_contents(facts, layout, digest)


def scan_contents(facts: ScanFacts, layout: Path, digest: str) -> ScanFacts:
    return gaps.complete(replace(facts, contents=inventory.read(LayoutStore(layout), digest).contents))


@pytest.mark.parametrize("title", [*SYSTEMS, *LANGUAGES])
def test_what_is_judged_is_what_the_page_says(title: str, scanner: Trivy, tmp_path: Path) -> None:
    sample = SYSTEMS.get(title) or find_language(title)
    try:
        facts = read(scanner, sample.files, tmp_path)
    except ScannerError as error:
        keep(
            title,
            "the release",
            "Red Hat's feed, of the full database alone",
            f"the scan fails: {error.why.rpartition(': ')[2]}",
        )
        return
    judged = [each for each in facts.ecosystems if each.judged and each.packages]
    assert (ID in {each.id for each in facts.findings}) is bool(judged), "Trivy does not judge what it says"
    # How many modules the program of Go has changes with its versions.
    counted = {each: str(each.packages) if each.packages < 10 else "several" for each in facts.ecosystems}
    seen = ", ".join(f"{each} ({count})" for each, count in counted.items()) or "nothing"
    policy = read_profile(SafetyClass.C).scan
    reasons = [
        f"`{each.id}`: {each.title}"
        for each in facts.findings
        if each.kind is Kind.UNJUDGED and scan.is_blocking(each, policy, datetime.now(UTC))
    ]
    unowned = facts.contents.unowned if facts.contents else 0
    listed = [f"lists {unowned} program of no package"] if unowned else []
    keep(title, seen, ", ".join(each.source for each in judged) or "no", "<br>".join([*reasons, *listed]))


def find_language(title: str) -> systems.Sample:
    program = Path(os.environ["AUTOCLAVE_ADVISORIES"]).read_bytes()
    return next(each for each in systems.list_languages(program) if each.title == title)


def keep(title: str, seen: str, judged: str, gate: str) -> None:
    """Keep the row; what another scanner makes of it stays as the page has it."""
    rows = {row.removeprefix("| ").partition(" | ")[0]: row for row in pages.TABLES["scanning"].rows()}
    other = rows.get(title, "").rstrip(" |").rpartition(" | ")[2] or "-"
    worker_results.keep("scanning", title, f"| {title} | {seen} | {judged} | {gate or 'passes'} | {other} |")
