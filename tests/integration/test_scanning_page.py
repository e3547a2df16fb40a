"""The table of docs/scanning.md: what the real Trivy and Grype judge, and what the gate says.

Each row is a scan of a tiny image (`builders.systems`) by both. Their databases have an advisory about each
package in the feed by which it is said to be judged: where a scanner is said to judge, it must find it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import worker_results
from autoclave import inventory
from autoclave.device.schema import SafetyClass
from autoclave.errors import ScannerError
from autoclave.gates import gaps, scan
from autoclave.model.facts import Kind, ScanFacts
from autoclave.policy.load import read_profile
from autoclave.runtime.shell import Shell
from autoclave.scanners.base import Scanner
from autoclave.scanners.trivy import Trivy
from autoclave.store.layout import LayoutStore
from builders import real_grype, real_trivy, systems
from fixtures.reports import record, tiny_layout

ID = "CVE-2026-99999"
SYSTEMS = {each.title: each for each in systems.SYSTEMS}
LANGUAGES = [each.title for each in systems.list_languages(b"")]
FEEDS = (
    "debian 12", "ubuntu 24.04", "alpine 3.22", "wolfi", "chainguard", "alma 9", "rocky 9", "Oracle Linux 9",
    "amazon linux 2023", "SUSE Linux Enterprise 15.7", "openSUSE Leap 16.0", "openSUSE Tumbleweed",
    "Photon OS 5.0", "Azure Linux 3.0", "CBL-Mariner 2.0",
)  # fmt: skip
# How Grype's database names releases that Trivy's has under another name, or not at all.
GRYPE_FEEDS = (
    "debian 12", "debian 9", "ubuntu 24.04", "alpine 3.22", "alpine 3.9", "wolfi", "chainguard", "rhel 9",
    "rhel 7", "ol 9", "amzn 2023", "sles 15.7", "photon 5.0", "azurelinux 3.0", "mariner 2.0", "fedora 40",
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


def write_facts(folder: Path, feeds: Sequence[str], suffix: str) -> Path:
    """Write the facts for a database with an advisory about each package; return the file."""
    sources = [source(each, "probe", {"FixedVersion": "2.0-r1"}) for each in feeds]
    below = {"VulnerableVersions": ["<99"], "PatchedVersions": ["99"]}
    sources += [source(f"{feed}{suffix}", package, below) for feed, package in PACKAGES.items()]
    known = {ID: {"Title": "an advisory for this table", "VendorSeverity": {"nvd": 2}}}
    file = folder / "facts.json"
    file.write_text(json.dumps({"sources": sources, "vulnerabilities": known}), "utf-8")
    return file


@pytest.fixture(scope="module")
def scanner(tmp_path_factory: pytest.TempPathFactory) -> Trivy:
    folder = tmp_path_factory.mktemp("cache")
    record.database(folder, facts=write_facts(folder, FEEDS, "::Test"))
    real_trivy.build_java_index(folder)
    return Trivy(Shell(), program=real_trivy.program(), cache=folder)


@pytest.fixture(scope="module")
def grype(tmp_path_factory: pytest.TempPathFactory) -> Scanner:
    folder = tmp_path_factory.mktemp("grype")
    return real_grype.create(real_grype.build_database(folder, facts=write_facts(folder, GRYPE_FEEDS, "")))


def read(scanner: Scanner, files: systems.Files, folder: Path) -> ScanFacts:
    """Scan an image with these files as the step does, with what its layers say."""
    layout, work = folder / f"layout-{scanner.name}", folder / f"work-{scanner.name}"
    work.mkdir()
    digest, _ = tiny_layout.write(layout, files)
    facts = scanner.scan(f"{layout}@{digest}", work).facts
    return scan_contents(facts, layout, digest)


def scan_contents(facts: ScanFacts, layout: Path, digest: str) -> ScanFacts:
    return gaps.complete(replace(facts, contents=inventory.read(LayoutStore(layout), digest).contents))


@pytest.mark.parametrize("title", [*SYSTEMS, *LANGUAGES])
def test_what_is_judged_is_what_the_page_says(
    title: str, scanner: Trivy, grype: Scanner, tmp_path: Path
) -> None:
    sample = SYSTEMS.get(title) or find_language(title)
    by_grype = describe_other(read(grype, sample.files, tmp_path))
    try:
        facts = read(scanner, sample.files, tmp_path)
    except ScannerError as error:
        why = f"the scan fails: {error.why.rpartition(': ')[2]}"
        keep(title, "the release", "Red Hat's feed, of the full database alone", why, by_grype)
        return
    # How many modules the program of Go has changes with its versions.
    counted = {each: str(each.packages) if each.packages < 10 else "several" for each in facts.ecosystems}
    seen = ", ".join(f"{each} ({count})" for each, count in counted.items()) or "nothing"
    unowned = facts.contents.unowned if facts.contents else 0
    listed = [f"lists {unowned} program of no package"] if unowned else []
    judged = ", ".join(list_judged(facts)) or "no"
    keep(title, seen, judged, "<br>".join([*list_reasons(facts), *listed]) or "passes", by_grype)


def list_judged(facts: ScanFacts) -> list[str]:
    """Return the feeds by which packages were judged; the scanner must have found what they have."""
    judged = [each for each in facts.ecosystems if each.judged and each.packages]
    found = has_advisory(facts)
    assert found is bool(judged), f"{facts.scanner} does not judge what it says: {facts.ecosystems}"
    return [each.source for each in judged]


def has_advisory(facts: ScanFacts) -> bool:
    """Return whether a scanner found the advisory that both databases have."""
    return ID in {name for each in facts.findings for name in (each.id, *each.aliases)}


def list_reasons(facts: ScanFacts) -> list[str]:
    """Return why the gate of class C closes for what was not judged."""
    policy = read_profile(SafetyClass.C).scan
    return [
        f"`{each.id}`: {each.title}"
        for each in facts.findings
        if each.kind is Kind.UNJUDGED and scan.is_blocking(each, policy, datetime.now(UTC))
    ]


def describe_other(facts: ScanFacts) -> str:
    """Return by what another scanner judges, else the names of the gate's reasons.

    For a system that names no release, Grype reports the advisories of every release: that is not judged.
    """
    names = sorted({each.partition(":")[0] for each in list_reasons(facts)})
    unnamed = [each for each in facts.ecosystems if each.is_system and not each.version]
    if unnamed and has_advisory(facts):
        assert not any(each.judged for each in unnamed)
        names.append("advisories of every release are reported")
        return "; ".join(names)
    return "; ".join(filter(None, (", ".join(list_judged(facts)), ", ".join(names)))) or "-"


def find_language(title: str) -> systems.Sample:
    program = Path(os.environ["AUTOCLAVE_ADVISORIES"]).read_bytes()
    return next(each for each in systems.list_languages(program) if each.title == title)


def keep(title: str, *cells: str) -> None:
    worker_results.keep("scanning", title, f"| {title} | {' | '.join(cells)} |")
