"""The scanner's interface: one image in, facts and the scanner's own report out."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from msgspec import Struct

from autoclave.model.facts import Database, ScanFacts
from autoclave.runtime.shell import Shell


class Versions(Struct, frozen=True, kw_only=True):
    """What would scan: the scanner, its version, and its advisory database."""

    scanner: str
    version: str
    database: Database


class Scanner(Protocol):
    """Finds vulnerabilities, secrets and misconfigurations in an image of an OCI layout."""

    def version(self, shell: Shell) -> Versions:
        """Return what would scan. Raise ScannerError or DatabaseError when it may not be used."""

    def scan(self, shell: Shell, location: str, workdir: Path) -> tuple[ScanFacts, Path]:
        """Scan the image at `location` (`DIR@sha256:…`); return the facts and the raw report in `workdir`."""

    def sbom(self, shell: Shell, report: Path, workdir: Path) -> Path:
        """Derive a CycloneDX JSON file from a raw report."""

    def sarif(self, shell: Shell, report: Path, workdir: Path) -> Path:
        """Derive a SARIF 2.1.0 file from a raw report."""
