"""Trivy's JSON report (schema 2), decoded and normalised.

Only the fields that a finding needs are declared; everything else is skipped while parsing, so a
report of 100,000 findings stays small in memory. Nothing here starts a process.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from autoclave.errors import ScannerError
from autoclave.model.facts import Database, Finding, Kind, Rating, Severity
from autoclave.model.inventory import Ecosystem
from autoclave.model.purl import type_of
from autoclave.scanners.aliases import merge_aliases
from autoclave.scanners.cvss import rate
from autoclave.scanners.trivy import feeds

_SCHEMA = 2
_SYSTEM = "os-pkgs"  # the class of results about packages of the operating system
_AGAIN = "scan again; if it happens again, report it with the raw report"


class _Identifier(Struct, frozen=True):
    purl: str = field(default="", name="PURL")


class _Score(Struct, frozen=True):
    v2: float = field(default=0.0, name="V2Score")
    v3: float = field(default=0.0, name="V3Score")
    v2_vector: str = field(default="", name="V2Vector")
    v3_vector: str = field(default="", name="V3Vector")
    v4_vector: str = field(default="", name="V40Vector")


class _DataSource(Struct, frozen=True):
    name: str = field(default="", name="Name")


class _Vulnerability(Struct, frozen=True, rename="pascal"):
    id: str = field(name="VulnerabilityID")
    pkg_name: str
    installed_version: str = ""
    vendor_ids: tuple[str, ...] = field(default=(), name="VendorIDs")
    pkg_path: str = ""
    pkg_identifier: _Identifier = _Identifier()
    fixed_version: str = ""
    severity: str = ""
    title: str = ""
    url: str = field(default="", name="PrimaryURL")
    # Decoded by `_rate`: thousands of findings have the same few.
    cvss: msgspec.Raw = field(default=msgspec.Raw(b"{}"), name="CVSS")
    vendor_severity: msgspec.Raw = msgspec.Raw(b"{}")
    cwes: tuple[str, ...] = field(default=(), name="CweIDs")
    data_source: _DataSource = _DataSource()
    published: datetime | None = field(default=None, name="PublishedDate")


class _Misconfiguration(Struct, frozen=True, rename="pascal"):
    id: str = field(name="ID")
    title: str = ""
    severity: str = ""
    url: str = field(default="", name="PrimaryURL")
    status: str = "FAIL"


class _Layer(Struct, frozen=True):
    diff_id: str = field(default="", name="DiffID")


class _Secret(Struct, frozen=True, rename="pascal"):
    # Match and Code are not decoded on purpose: what they quote stays in the raw report.
    id: str = field(name="RuleID")
    severity: str = ""
    title: str = ""
    start_line: int = 0
    layer: _Layer = _Layer()


class _Repository(Struct, frozen=True, rename="pascal"):
    class_: str = field(default="", name="Class")


class _Package(Struct, frozen=True, rename="pascal"):
    """A package that was examined: counted, by the type in its package URL."""

    identifier: _Identifier = _Identifier()
    repository: _Repository = _Repository()


class _Suppressed(Struct, frozen=True):
    """A finding that Trivy leaves out: none may be."""


class _Result(Struct, frozen=True, rename="pascal"):
    target: str
    class_: str = field(default="", name="Class")
    type_: str = field(default="", name="Type")
    packages: list[_Package] | None = None
    vulnerabilities: list[msgspec.Raw] | None = None
    misconfigurations: list[_Misconfiguration] | None = None
    secrets: list[_Secret] | None = None
    suppressed: list[_Suppressed] | None = field(default=None, name="ExperimentalModifiedFindings")


class _Os(Struct, frozen=True, rename="pascal"):
    family: str = ""
    name: str = ""
    is_ended: bool = field(default=False, name="EOSL")


class _Metadata(Struct, frozen=True):
    image: str = field(name="ImageID")
    os: _Os | None = field(default=None, name="OS")


class _Producer(Struct, frozen=True, rename="pascal"):
    version: str = ""


class _Report(Struct, frozen=True, rename="pascal"):
    schema_version: int
    artifact_name: str
    artifact_type: str
    metadata: _Metadata
    trivy: _Producer = _Producer()
    results: list[_Result] | None = None


class Content(Struct, frozen=True, kw_only=True):
    """What a report says: the packages by kind, which of them Trivy judged, and the findings."""

    ecosystems: tuple[Ecosystem, ...]
    findings: tuple[Finding, ...]


class Advisories(Struct, frozen=True, kw_only=True):
    """The advisories of a scan: their database, and the names of its feeds."""

    database: Database
    feeds: frozenset[str]


def read(path: Path, *, config_digest: str, version: str, advisories: Advisories) -> Content:
    """Return what the report at `path` says about exactly the image with this config.

    Raises ScannerError when it is missing, truncated or foreign, was made by another version of Trivy
    or for another image, or when findings were suppressed.
    """
    try:
        with path.open("rb") as file:
            # Not closed here: the frames of an error refer to what was decoded from it.
            raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            return normalise(raw, config_digest=config_digest, version=version, advisories=advisories)
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise ScannerError("Trivy wrote no report", why=f"{path.name}: {error}", next=_AGAIN) from error


def normalise(raw: bytes | mmap.mmap, *, config_digest: str, version: str, advisories: Advisories) -> Content:
    """Decode a report and normalise its findings; raises as `read` does.

    Order is the report's own. Aliases of one vulnerability in one package are merged (see `aliases`).
    """
    try:
        report = msgspec.json.decode(raw, type=_Report)
        _check(report, config_digest, version)
        results = report.results or []
        return Content(
            ecosystems=tuple(_ecosystems(report, results, advisories)),
            findings=tuple(_findings(report, results)),
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ScannerError(
            "Trivy's report is truncated, or is not one of Trivy's", why=str(error), next=_AGAIN
        ) from error


def _check(report: _Report, config_digest: str, version: str) -> None:
    wrong = ""
    if report.schema_version != _SCHEMA:
        wrong = f"it has schema {report.schema_version}, required is {_SCHEMA}"
    elif report.trivy.version != version:
        wrong = f"it was made by Trivy {report.trivy.version or 'without a version'}, required is {version}"
    elif report.artifact_type != "container_image" or report.metadata.image != config_digest:
        wrong = f"it is about {report.artifact_type} {report.metadata.image}, scanned was {config_digest}"
    elif any(result.suppressed for result in report.results or ()):
        wrong = "findings were suppressed by Trivy's own means; only waivers may do that"
    if wrong:
        raise ScannerError("Trivy's report cannot be used", why=wrong, next=_AGAIN)


def _os(report: _Report) -> str:
    found = report.metadata.os or _Os()
    # Trivy calls the family "none" when it saw no OS but was given packages.
    return "" if found.family in ("", "none") else f"{found.family} {found.name}".strip()


def _ecosystems(report: _Report, results: list[_Result], advisories: Advisories) -> Iterator[Ecosystem]:
    """Yield the system, even without packages, what of it is others', and each kind of other packages."""
    packages = [one for result in results if result.class_ == _SYSTEM for one in result.packages or ()]
    found = report.metadata.os or _Os()
    if _os(report):
        feed, why = feeds.find_system_feed(found.family, found.name, advisories.feeds)
        others = sum(one.repository.class_ == "third-party" for one in packages)
        system = Ecosystem(
            name=found.family,
            version=found.name,
            is_system=True,
            packages=len(packages) - others,
            judged=bool(feed),
            end_of_life=found.is_ended,
        )
        yield _source(system, feed, why, advisories)
        if others:
            why = f"Trivy judges no package of another vendor than {found.family}'s"
            name = f"{found.family} (other vendors)"
            yield Ecosystem(name=name, packages=others, judged=False, of_system=True, why=why)
    elif packages:
        why = "Trivy did not recognise the operating system"
        yield Ecosystem(name="unknown", is_system=True, packages=len(packages), judged=False, why=why)
    yield from _languages(results, advisories)


def _languages(results: list[_Result], advisories: Advisories) -> Iterator[Ecosystem]:
    counts: dict[tuple[str, str], int] = {}
    for result in results:
        if result.class_ != _SYSTEM:
            for one in result.packages or ():
                key = (result.type_, type_of(one.identifier.purl) or result.type_)
                counts[key] = counts.get(key, 0) + 1
    merged: dict[tuple[str, str, str], int] = {}
    for (kind, name), count in counts.items():
        key_ = (name, *feeds.find_language_feed(kind, advisories.feeds))
        merged[key_] = merged.get(key_, 0) + count
    for (name, feed, why), count in sorted(merged.items()):
        yield _source(Ecosystem(name=name, packages=count, judged=bool(feed)), feed, why, advisories)


def _source(found: Ecosystem, feed: str, why: str, advisories: Advisories) -> Ecosystem:
    if not feed:
        return replace(found, why=why)
    used = advisories.database
    return replace(found, source=feed, database=used.digest, updated=used.updated)


def _findings(report: _Report, results: list[_Result]) -> Iterator[Finding]:
    for result in results:
        place = _place(report, result)
        yield from merge_aliases(
            _vulnerability(_VULNERABILITY.decode(one), place) for one in result.vulnerabilities or ()
        )
        yield from dict.fromkeys(_secret(secret, place) for secret in result.secrets or ())
        yield from dict.fromkeys(
            Finding(
                id=one.id, kind=Kind.MISCONFIGURATION, severity=_severity(one.severity),
                title=one.title, target=place, url=one.url,
            )
            for one in result.misconfigurations or ()
            if one.status == "FAIL"
        )  # fmt: skip


def _place(report: _Report, result: _Result) -> str:
    """Say where, without the name under which the image was given to Trivy."""
    if result.class_ == _SYSTEM:
        return _os(report) or "OS packages"
    if result.target == report.artifact_name:
        return "image configuration"
    return result.target


_VULNERABILITY = msgspec.json.Decoder(_Vulnerability)


def _vulnerability(one: _Vulnerability, place: str) -> Finding:
    ratings, score = _rate(bytes(one.vendor_severity), bytes(one.cvss))
    return Finding(
        id=one.id,
        kind=Kind.VULNERABILITY,
        severity=_severity(one.severity),
        title=one.title,
        target=one.pkg_path or place,
        aliases=one.vendor_ids,
        package=one.pkg_name,
        version=one.installed_version,
        purl=one.pkg_identifier.purl,
        fixed=one.fixed_version,
        cvss=score,
        url=one.url,
        ratings=ratings,
        cwes=one.cwes,
        found_by=_found_by(one.data_source.name),
        published=one.published if one.published and one.published.tzinfo else None,
    )


_SEVERITIES_BY_SOURCE = msgspec.json.Decoder(dict[str, int])
_SCORES_BY_SOURCE = msgspec.json.Decoder(dict[str, _Score])


@lru_cache(maxsize=8192)
def _rate(severities: bytes, vectors: bytes) -> tuple[tuple[Rating, ...], float | None]:
    """Return what each source says about a severity, in words and by its vectors, and the highest score."""
    scores = _SCORES_BY_SOURCE.decode(vectors)
    words = [_rating(*each) for each in sorted(_SEVERITIES_BY_SOURCE.decode(severities).items())]
    rated = [
        rate(source, vector)
        for source, score in sorted(scores.items())
        for vector in filter(None, (score.v4_vector, score.v3_vector, score.v2_vector))
    ]
    highest = max((each.v3 for each in scores.values()), default=0.0)
    highest = highest or max((each.v2 for each in scores.values()), default=0.0)
    return (*words, *rated), highest or None


def _rating(source: str, level: int) -> Rating:
    levels = tuple(Severity)
    severity = levels[level] if 0 <= level < len(levels) else Severity.UNKNOWN
    return Rating(source=source, severity=severity)


@lru_cache(maxsize=256)
def _found_by(source: str) -> str:
    return f"version, by {source}" if source else "version"


def _secret(one: _Secret, place: str) -> Finding:
    title = f"{one.title}, line {one.start_line}" if one.start_line else one.title
    return Finding(
        id=one.id,
        kind=Kind.SECRET,
        severity=_severity(one.severity),
        title=title,
        target=place,
        layer=one.layer.diff_id,
    )


_SEVERITIES = {severity.name: severity for severity in Severity}


def _severity(name: str) -> Severity:
    return _SEVERITIES.get(name.upper(), Severity.UNKNOWN)
