"""The parts of Clair's answers that are read; everything else is skipped.

As `openapi.yaml` of Clair v4 describes IndexReport and VulnerabilityReport, and claircore writes them: a
package is of the distribution, or of the repositories, that its environments name; enrichments are by media
type.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from autoclave.model.moment import Moment


class Package(Struct, frozen=True):
    """A package, or the source package of one."""

    name: str
    version: str = ""
    kind: str = ""


class Distribution(Struct, frozen=True):
    """An operating system, by the fields of its os-release."""

    did: str = ""
    version_id: str = ""


class Repository(Struct, frozen=True):
    """Where packages of a language come from: `pypi`, `go`, `maven`, …"""

    name: str = ""


class Environment(Struct, frozen=True):
    """Where a package was found."""

    package_db: str = ""
    distribution_id: str = ""
    repository_ids: list[str] | None = None


class Vulnerability(Struct, frozen=True):
    """A vulnerability of a package, with the severity in the words of its source and in Clair's."""

    name: str
    updater: str = ""
    description: str = ""
    links: str = ""
    issued: Moment | None = None
    severity: str = ""
    normalized_severity: str = ""
    fixed_in_version: str = ""


class IndexReport(Struct, frozen=True):
    """The result of indexing an image."""

    manifest_hash: str
    state: str
    success: bool = False
    err: str = ""
    packages: dict[str, Package] | None = None


class VulnerabilityReport(Struct, frozen=True):
    """What affects the packages of an image."""

    manifest_hash: str
    packages: dict[str, Package] | None = None
    distributions: dict[str, Distribution] | None = None
    repository: dict[str, Repository] | None = None
    environments: dict[str, list[Environment]] | None = None
    vulnerabilities: dict[str, Vulnerability] | None = None
    package_vulnerabilities: dict[str, list[str] | None] | None = None
    enrichments: dict[str, Any] | None = None


class UpdateOperation(Struct, frozen=True):
    """A run of an updater that found something new."""

    ref: str
    date: Moment


class IndexState(Struct, frozen=True):
    """The configuration of the indexer, as one value that changes with it."""

    state: str
