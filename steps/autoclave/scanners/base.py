"""The scanner's interface: one image in, facts and the scanner's own reports out.

A scanner is a module of this folder, named as users name it, with a function `create`.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from msgspec import Struct

from autoclave.model.facts import Database, ScanFacts
from autoclave.runtime.shell import Shell


class Setup(Struct, frozen=True, kw_only=True):
    """What a scanner is created with: how it starts processes, and what the options say of it.

    `command` is its program, a name on PATH or a path, and `cache` the folder with its database; where they
    are empty or None, the scanner uses its own defaults.
    """

    shell: Shell
    command: str = ""
    cache: Path | None = None


class Versions(Struct, frozen=True, kw_only=True):
    """What would scan: the scanner's version and its database; `renew` is how to get a newer one.

    `indexes` are the databases by which it recognises packages, each with a name; `renew_indexes` is theirs.
    """

    version: str
    database: Database
    indexes: tuple[Database, ...] = ()
    renew: str = ""
    renew_indexes: str = ""


class ReportKind(StrEnum):
    """What a report is for."""

    RAW = "raw"
    """Everything that the scanner says, in JSON of its own form."""
    SBOM = "sbom"
    """The components of the image, CycloneDX in JSON: the release gate reads it."""
    SARIF = "sarif"
    """The findings, SARIF 2.1.0: CI hosts show it."""


class Report(Struct, frozen=True, kw_only=True):
    """A file that the scanner wrote."""

    kind: ReportKind
    path: Path
    media_type: str


class Scan(Struct, frozen=True, kw_only=True):
    """The result of one scan: facts for the gates, and at most one report of each kind."""

    facts: ScanFacts
    reports: tuple[Report, ...]


@runtime_checkable
class Renewable(Protocol):
    """A scanner whose advisory database `autoclave database update` can renew.

    `cache` is the folder with it, `parts` the names in it that are exchanged together, and `tag` the one that
    its publisher gives it in an OCI registry.
    """

    name: str
    cache: Path
    parts: tuple[str, ...]
    tag: str

    def versions(self) -> Versions:
        """As the scanner's."""

    def at(self, cache: Path) -> Renewable:
        """Return the same scanner with another cache."""

    def download(self) -> None:
        """Fetch the newest database from its publisher into the cache. Raise ScannerError, DatabaseError."""

    def unpack(self, archive: Path) -> None:
        """Write the database that a file holds into the cache. Raise ScannerError, DatabaseError."""

    def pack(self, archive: Path) -> None:
        """Write the database of the cache into a file that `unpack` reads, here and elsewhere."""


class Scanner(Protocol):
    """Finds vulnerabilities, secrets and misconfigurations in an image of an OCI layout.

    `name` is the module's. `command` is what it runs, for plans: the same on every machine, without paths.
    """

    name: str
    command: tuple[str, ...]

    def versions(self) -> Versions:
        """Return what would scan. Raise ScannerError or DatabaseError when it must not be used."""

    def scan(self, image: str, folder: Path) -> Scan:
        """Scan the image at `DIR@sha256:…`; write reports into an empty folder, which is removed afterwards.

        Raise ScannerError when the scanner or its report cannot be relied on, DatabaseError when its
        database cannot, StoreError when the image is missing.
        """
