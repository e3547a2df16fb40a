"""Grype's JSON report and its SBOM, decoded and normalised. Nothing here starts a process.

The report lists matches alone (grype/presenter/models/document.go); which packages there are, and which
system, is in the CycloneDX file of the same run.
"""

from __future__ import annotations

import mmap
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from autoclave.errors import ScannerError
from autoclave.model.facts import Exploited, Finding, Kind, Prediction, Rating, Severity
from autoclave.model.inventory import Ecosystem
from autoclave.scanners.aliases import merge_aliases
from autoclave.scanners.cvss import rate
from autoclave.scanners.grype.database import Advisories, System
from autoclave.scanners.grype.form import Bom, Component, Detail, Match, Related, Report, Vulnerability

_AGAIN = "scan again; if it happens again, report it with the raw report"
_SYSTEM_TYPES = frozenset({"alpm", "apk", "deb", "portage", "rpm"})
"""Kinds of packages that are the operating system's: judged by its release's advisories."""

_URL_TYPES = {
    "binary": "generic", "dart-pub": "pub", "dotnet": "nuget", "gem": "gem", "go-module": "golang",
    "java-archive": "maven", "jenkins-plugin": "maven", "php-composer": "composer", "pod": "cocoapods",
    "python": "pypi", "rust-crate": "cargo",
}  # fmt: skip
"""Syft's kinds that package URLs name otherwise."""


class Packages(Struct, frozen=True, kw_only=True):
    """The packages of an image by Syft's kind, and its system."""

    system: System
    counts: dict[str, int]


class Content(Struct, frozen=True, kw_only=True):
    """What a report says: whether the system is past its end, and the findings."""

    is_ended: bool
    findings: tuple[Finding, ...]


def read_packages(path: Path) -> Packages:
    """Return the packages in the SBOM of a run. Raises ScannerError when it cannot be read."""
    with _open(path) as raw:
        bom = msgspec.json.decode(raw, type=Bom)
    system = next((each for each in bom.components if each.type == "operating-system"), Component())
    kinds = (each.find("syft:package:type") for each in bom.components if each.type != "operating-system")
    return Packages(
        system=System(
            name=system.find("syft:distro:id"),
            version=system.find("syft:distro:versionID"),
            codename=system.find("syft:distro:versionCodename"),
        ),
        counts=dict(Counter(filter(None, kinds))),
    )


def read(path: Path, *, digest: str, config_digest: str, version: str, system: System) -> Content:
    """Return what the report at `path` says about exactly this image.

    Raises ScannerError when it is missing, truncated or foreign, was made by another version of Grype or
    about another image, or when matches were ignored.
    """
    with _open(path) as raw:
        report = msgspec.json.decode(raw, type=Report)
        _check(report, digest, config_digest, version)
        return _normalise(report, system)


def _normalise(report: Report, system: System) -> Content:
    place = f"{system.name} {system.version}".strip() or "OS packages"
    ended = any(alert.type == "distro-eol" for each in report.alerts_by_package for alert in each.alerts)
    findings = merge_aliases(_finding(_MATCH.decode(one), place) for one in report.matches)
    return Content(is_ended=ended, findings=tuple(findings))


def judge_packages(packages: Packages, advisories: Advisories, *, is_ended: bool) -> Iterator[Ecosystem]:
    """Yield the system, even without packages, and each other kind of packages: judged or not, and why."""
    used, system = advisories.database, packages.system
    count = sum(number for kind, number in packages.counts.items() if kind in _SYSTEM_TYPES)
    if system.name or count:
        named = f"{system.name} {system.version}".strip()
        why = (
            f"Grype's database has no advisories for {named}"
            if system.name
            else "Grype did not recognise the operating system"
        )
        yield Ecosystem(
            name=system.name or "unknown",
            version=system.version,
            is_system=True,
            packages=count,
            judged=bool(advisories.system),
            why="" if advisories.system else why,
            source=advisories.system,
            database=used.digest if advisories.system else "",
            updated=used.updated if advisories.system else None,
            end_of_life=is_ended,
        )
    for kind in sorted(packages.counts.keys() - _SYSTEM_TYPES):
        judged = kind in advisories.ecosystems
        yield Ecosystem(
            name=_URL_TYPES.get(kind, kind),
            packages=packages.counts[kind],
            judged=judged,
            why="" if judged else f"Grype's database has no advisories for packages of the kind {kind}",
            source=kind if judged else "",
            database=used.digest if judged else "",
            updated=used.updated if judged else None,
        )


def _check(report: Report, digest: str, config_digest: str, version: str) -> None:
    wrong, by, target = "", report.descriptor, report.source.target
    if (by.name, by.version) != ("grype", version):
        wrong = f"it was made by {by.name or 'something without a name'} {by.version}, required is {version}"
    elif (report.source.type, target.manifest_digest) != ("image", digest):
        wrong = f"it is about {report.source.type} {target.manifest_digest}, scanned was {digest}"
    elif target.image_id != config_digest:
        wrong = f"it is about the configuration {target.image_id}, scanned was {config_digest}"
    elif report.ignored_matches:
        wrong = "matches were ignored by Grype's own means; only waivers may do that"
    if wrong:
        raise ScannerError("Grype's report cannot be used", why=wrong, next=_AGAIN)


_MATCH = msgspec.json.Decoder(Match)


def _finding(match: Match, place: str) -> Finding:
    about, package = match.vulnerability, match.artifact
    where = next((each.path.removeprefix("/") for each in package.locations if each.path), "")
    ratings = tuple(_ratings(match))
    detail = match.match_details[0] if match.match_details else Detail()
    return Finding(
        id=about.id,
        kind=Kind.VULNERABILITY,
        severity=_severity(about.severity),
        title=_first_line(about.description),
        target=place if package.type in _SYSTEM_TYPES else where or package.type,
        aliases=tuple(
            dict.fromkeys(each.id for each in match.related_vulnerabilities if each.id != about.id)
        ),
        package=package.name,
        version=package.version,
        purl=package.purl,
        fixed=", ".join(about.fix.versions),
        cvss=max((each.score for each in ratings if each.score is not None), default=None),
        url=about.data_source,
        ratings=ratings,
        cwes=tuple(
            dict.fromkeys(
                each.cwe for of in _descriptions(match) for each in of.cwes if each.cwe.startswith("CWE-")
            )
        ),
        exploited=_exploited(match),
        prediction=_prediction(match),
        found_by=" ".join(filter(None, (detail.matcher, detail.type))),
    )


def _exploited(match: Match) -> Exploited | None:
    entries = [entry for of in _descriptions(match) for entry in of.known_exploited]
    if not entries:
        return None
    try:
        added = date.fromisoformat(entries[0].date_added)
    except ValueError:
        added = None
    return Exploited(source="Grype's database", added=added)


def _prediction(match: Match) -> Prediction | None:
    entries = [entry for of in _descriptions(match) for entry in of.epss]
    found = max(entries, key=lambda entry: entry.epss, default=None)
    return Prediction(score=found.epss, percentile=found.percentile) if found else None


def _ratings(match: Match) -> Iterator[Rating]:
    """Yield what each source says about the severity: in words, and each of its vectors."""
    seen = set()
    for of in _descriptions(match):
        source = of.namespace.partition(":")[0] or "grype"
        if (severity := _severity(of.severity)) is not Severity.UNKNOWN:
            yield Rating(source=source, severity=severity)
        for each in of.cvss:
            if each.vector and (each.source, each.vector) not in seen:
                seen.add((each.source, each.vector))
                yield rate(each.source or source, each.vector)


def _descriptions(match: Match) -> tuple[Related | Vulnerability, ...]:
    """Return what each source has about the vulnerability of a match: the one that matched first."""
    return (match.vulnerability, *match.related_vulnerabilities)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:300]


_SEVERITIES = {severity.name: severity for severity in Severity} | {"NEGLIGIBLE": Severity.LOW}


def _severity(name: str) -> Severity:
    return _SEVERITIES.get(name.upper(), Severity.UNKNOWN)


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """Yield the bytes of a file; what is wrong with it, or with what is decoded, is a ScannerError."""
    try:
        with path.open("rb") as file:
            # Not closed here: what is decoded, and the frames of an error, refer to it until they end.
            yield mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ScannerError(
            "Grype's report is truncated, or is not one of Grype's", why=f"{path.name}: {error}", next=_AGAIN
        ) from error
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise ScannerError("Grype wrote no report", why=f"{path.name}: {error}", next=_AGAIN) from error
