"""The parts of Grype's JSON report and CycloneDX file that are read; everything else is skipped.

Read in grype/presenter/models of the tested version; properties of components in Syft's CycloneDX encoder.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct, field


class Metrics(Struct, frozen=True, rename="camel"):
    """Scores of a vector."""

    base_score: float = 0.0


class Cvss(Struct, frozen=True):
    """A source's vector."""

    vector: str = ""
    source: str = ""
    metrics: Metrics = Metrics()


class Cwe(Struct, frozen=True):
    """A weakness."""

    cwe: str = ""


class KnownExploited(Struct, frozen=True, rename="camel"):
    """An entry of CISA's catalogue, as Grype's database has it."""

    date_added: str = ""


class Epss(Struct, frozen=True):
    """A prediction, as Grype's database has it."""

    epss: float = 0.0
    percentile: float = 0.0


class Fix(Struct, frozen=True):
    """What fixes it."""

    versions: tuple[str, ...] = ()
    state: str = ""


class Related(Struct, frozen=True, rename="camel"):
    """The same vulnerability elsewhere: by its CVE."""

    id: str
    severity: str = ""
    namespace: str = ""
    cvss: tuple[Cvss, ...] = ()
    cwes: tuple[Cwe, ...] = ()
    known_exploited: tuple[KnownExploited, ...] = ()
    epss: tuple[Epss, ...] = ()


class Vulnerability(Struct, frozen=True, rename="camel"):
    """What matched."""

    id: str
    severity: str = ""
    namespace: str = ""
    data_source: str = ""
    description: str = ""
    cvss: tuple[Cvss, ...] = ()
    cwes: tuple[Cwe, ...] = ()
    known_exploited: tuple[KnownExploited, ...] = ()
    epss: tuple[Epss, ...] = ()
    fix: Fix = Fix()


class Detail(Struct, frozen=True):
    """How it matched."""

    type: str = ""
    matcher: str = ""


class Location(Struct, frozen=True):
    """A file of a package."""

    path: str = ""


class Artifact(Struct, frozen=True):
    """A package."""

    name: str
    version: str = ""
    type: str = ""
    purl: str = ""
    locations: tuple[Location, ...] = ()


class Match(Struct, frozen=True, rename="camel"):
    """A package and a vulnerability of it."""

    vulnerability: Vulnerability
    artifact: Artifact
    related_vulnerabilities: tuple[Related, ...] = ()
    match_details: tuple[Detail, ...] = ()


class Alert(Struct, frozen=True):
    """What else is to be known of a package."""

    type: str = ""


class Alerts(Struct, frozen=True):
    """Alerts of one package."""

    alerts: tuple[Alert, ...] = ()


class Target(Struct, frozen=True, rename="camel"):
    """The image."""

    manifest_digest: str = ""
    image_id: str = field(default="", name="imageID")


class Source(Struct, frozen=True):
    """What was scanned."""

    type: str
    target: Target


class Descriptor(Struct, frozen=True):
    """What scanned."""

    name: str = ""
    version: str = ""


class Ignored(Struct, frozen=True):
    """A match that Grype leaves out: none may be."""


class Report(Struct, frozen=True, rename="camel"):
    """The whole report."""

    matches: list[msgspec.Raw]
    source: Source
    descriptor: Descriptor
    ignored_matches: list[Ignored] = []
    alerts_by_package: list[Alerts] = []


class Property(Struct, frozen=True):
    """A named value of a component."""

    name: str
    value: str = ""


class Component(Struct, frozen=True, rename="kebab"):
    """A component of the SBOM."""

    type: str = ""
    purl: str = ""
    properties: tuple[Property, ...] = ()

    def find(self, name: str) -> str:
        """Return the value of a property, or an empty string."""
        return next((each.value for each in self.properties if each.name == name), "")


class Bom(Struct, frozen=True, rename="camel"):
    """The SBOM."""

    bom_format: str
    components: list[Component] = []
