"""A tiny image with known findings in a registry, and what `autoclave vex` writes about it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from autoclave.evidence.vex import openvex
from autoclave.model.declared import Scope, SignedWaiver, VexStatus, Waiver
from autoclave.model.facts import Finding
from autoclave.model.vex import Product
from autoclave.runtime.shell import Shell
from autoclave.scanners.trivy import Trivy
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import MANIFEST, parse_manifest
from builders import real_trivy
from builders.registries import open_store, serve_with_referrers
from fixtures.reports import tiny_layout

NOW = datetime.now(UTC).replace(microsecond=0)
WAIVER = Waiver(
    id="W-1",
    device="pump",
    finding="CVE-2019-10906",
    scope=Scope(package="pkg:pypi/jinja2", versions="2.10"),
    status=VexStatus.NOT_AFFECTED,
    rationale="no template comes from outside",
    author="ada",
    created=NOW - timedelta(days=1),
    expires=NOW + timedelta(days=60),
)


class Pushed:
    """An image with known findings in a registry, under two names."""

    def __init__(self, registry: str, folder: Path) -> None:
        self.cache = folder / "trivy"
        facts = Path(tiny_layout.__file__).with_name("advisories.json")
        subprocess.run([os.environ["AUTOCLAVE_ADVISORIES"], "-in", facts, "-out", self.cache], check=True)
        self.digest, self.config = tiny_layout.bad(folder / "image")
        layout = LayoutStore(folder / "image")
        raw = layout.read(self.digest)
        for repository in ("devices/pump", "mirror/of-the-clinic"):
            store = open_store(registry, folder / "cache", repository=repository)
            manifest = parse_manifest(raw, self.digest)
            for blob in (manifest.config, *manifest.layers):
                store.write(layout.chunks(blob.digest), media_type=blob.media_type, expect=blob.digest)
            store.write([raw], media_type=MANIFEST)
        self.pushed = f"{registry}/devices/pump@{self.digest}"
        self.copied = f"{registry}/mirror/of-the-clinic@{self.digest}"
        self.folder = folder
        self.findings = self._find()

    def _find(self) -> tuple[Finding, ...]:
        """Return what our own scan finds in the image."""
        work = self.folder / "scan"
        work.mkdir()
        scanner = Trivy(Shell(), program=real_trivy.program(), cache=self.cache)
        return scanner.scan(f"{self.folder / 'image'}@{self.digest}", work).facts.findings


def trivy(cache: Path, command: str, *words: str) -> bytes:
    """Run Trivy as a customer does; return its JSON report."""
    options = ["--format", "json", "--skip-db-update", "--offline-scan", "--cache-dir", str(cache)]
    quiet = ["--quiet", "--disable-telemetry", "--skip-version-check"]
    argv = [real_trivy.program(), command, *quiet, *options, *words]
    environ = os.environ | {"TRIVY_INSECURE": "true", "TRIVY_NON_SSL": "true"}
    done = subprocess.run(argv, env=environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def found_by_trivy(raw: bytes) -> set[tuple[str, str]]:
    """Return id and package of every vulnerability in Trivy's report."""
    results = json.loads(raw).get("Results") or []
    return {
        (one["VulnerabilityID"], one["PkgName"].lower())
        for result in results
        for one in result.get("Vulnerabilities") or []
    }


def decide(image: Pushed, folder: Path, *names: str, only: str = "", status: str = "not_affected") -> Path:
    """Write the decision about all findings, or those of one package, as `autoclave vex` does."""
    waiver = replace(WAIVER, status=VexStatus(status))
    signed = SignedWaiver(waiver=waiver, digest=image.digest)
    findings = [each for each in image.findings if only in each.purl]
    product = Product(digest=image.digest, names=names or ("pump",), architecture="amd64")
    document = openvex.write([(signed, findings)], product=product, author="pump", now=NOW)
    return write(document, folder)


def write(document: dict[str, Any], folder: Path) -> Path:
    """Write a document to a file."""
    file = folder / "app.vex.json"
    file.write_bytes(msgspec.json.encode(document))
    return file


@contextmanager
def push(folder: Path) -> Iterator[Pushed]:
    """Serve a registry with the image in it."""
    (folder / "registry").mkdir()
    with serve_with_referrers(folder / "registry") as address:
        yield Pushed(address, folder)
