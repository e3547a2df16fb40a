"""Clair's vulnerability report, normalised. Nothing here speaks to a server."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from autoclave.errors import ScannerError
from autoclave.model.facts import Database, Finding, Kind, Rating, Severity
from autoclave.model.inventory import Ecosystem
from autoclave.scanners.aliases import merge_aliases
from autoclave.scanners.clair.form import Distribution, IndexReport, VulnerabilityReport
from autoclave.scanners.cvss import rate

_AGAIN = "scan again; if it happens again, report it with the raw report"
_NAME = re.compile(r"\b(?:CVE-\d{4}-\d{4,19}|GHSA(?:-[0-9a-z]{4}){3}|(?:PYSEC|GO|RUSTSEC)-\d{4}-\d+)\b")
_CVE = re.compile(r"\bCVE-\d{4}-\d{4,19}\b")
_SEVERITIES = {each.name: each for each in Severity} | {"NEGLIGIBLE": Severity.LOW}
# The beginning of the names of updaters by the `ID` of a system's os-release (claircore, each */updater*.go).
_SYSTEMS = {
    "alpine": "alpine-", "amzn": "aws-", "debian": "debian/updater", "ol": "oracle-", "photon": "photon-",
    "rhel": "rhel-", "sles": "suse-updater-", "ubuntu": "ubuntu/updater",
}  # fmt: skip
_URL_TYPES = {"go": "golang", "rubygems": "gem"}


def check(report: VulnerabilityReport, index: IndexReport, digest: str) -> None:
    """Raise ScannerError unless a report is about this image, and about all packages that were indexed."""
    wrong = ""
    packages, indexed = len(report.packages or {}), len(index.packages or {})
    if report.manifest_hash != digest:
        wrong = f"it is about {report.manifest_hash[:100]}, scanned was {digest}"
    elif packages != indexed:
        wrong = f"it has {packages} packages, and {indexed} were indexed"
    else:
        known, found = report.vulnerabilities or {}, report.package_vulnerabilities or {}
        lost = {name for names in found.values() for name in names or () if name not in known}
        if lost or found.keys() - (report.packages or {}).keys():
            wrong = "it refers to vulnerabilities or packages that it does not describe"
    if wrong:
        raise ScannerError("Clair's report cannot be used", why=wrong, next=_AGAIN)


def list_findings(report: VulnerabilityReport) -> tuple[Finding, ...]:
    """Return the findings: one for each vulnerability of each package."""
    vectors = dict(_vectors(report.enrichments or {}))
    return tuple(merge_aliases(_findings(report, vectors)))


def list_ecosystems(
    report: VulnerabilityReport, updaters: Collection[str], used: Database
) -> Iterator[Ecosystem]:
    """Yield the system and each other kind of packages: judged when an updater of theirs has run."""
    counts = Counter(_kind(report, key) for key in report.packages or {})
    systems = {str(each): each for each in (report.distributions or {}).values()}
    for each in systems.values():
        start = _SYSTEMS.get(each.did, "")
        source = next((name for name in sorted(updaters) if start and _is_for(name, start, each)), "")
        why = f"no updater for {each.did} {each.version_id} has run in this Clair"
        yield _ecosystem(
            Ecosystem(
                name=each.did or "unknown",
                version=each.version_id,
                is_system=True,
                packages=counts.pop("", 0),
                judged=bool(source),
            ),
            source,
            why,
            used,
        )
    if others := counts.pop("", 0):
        why = "Clair did not recognise the operating system"
        yield Ecosystem(name="unknown", is_system=True, packages=others, judged=False, why=why)
    for kind, count in sorted(counts.items()):
        source = next((name for name in sorted(updaters) if name.lower() == f"osv/{kind}"), "")
        why = f"no updater for {kind} packages has run in this Clair"
        name = _URL_TYPES.get(kind, kind)
        yield _ecosystem(Ecosystem(name=name, packages=count, judged=bool(source)), source, why, used)


def _ecosystem(found: Ecosystem, source: str, why: str, used: Database) -> Ecosystem:
    return Ecosystem(
        name=found.name,
        version=found.version,
        is_system=found.is_system,
        packages=found.packages,
        judged=found.judged,
        why="" if source else why,
        source=source,
        database=used.digest if source else "",
        updated=used.updated if source else None,
    )


def _is_for(updater: str, start: str, system: Distribution) -> bool:
    """Return whether an updater is for a release: those of Alpine are named by it."""
    if not updater.lower().startswith(start):
        return False
    minor = ".".join(system.version_id.split(".")[:2])
    return system.did != "alpine" or f"v{minor}-" in updater or "edge" in updater == system.version_id


def _kind(report: VulnerabilityReport, key: str) -> str:
    """Return the repository of a package, or an empty string for one of the system."""
    for each in (report.environments or {}).get(key, ()):
        for name in each.repository_ids or ():
            found = (report.repository or {}).get(name)
            if found and found.name and not each.distribution_id:
                return found.name.lower()
    return ""


def _findings(report: VulnerabilityReport, vectors: dict[str, list[str]]) -> Iterator[Finding]:
    packages, known = report.packages or {}, report.vulnerabilities or {}
    system = next(iter((report.distributions or {}).values()), Distribution())
    for key, names in (report.package_vulnerabilities or {}).items():
        places = (report.environments or {}).get(key, ())
        for name in names or ():
            one = known[name]
            ids = tuple(dict.fromkeys(_NAME.findall(one.name))) or (one.name[:200],)
            linked = set(_CVE.findall(one.links))
            if not ids[0].startswith("CVE-") and len(linked) == 1:
                ids = (*ids, *linked)
            severity = _severity(one.normalized_severity)
            ratings = [Rating(source=one.updater, severity=severity)] if severity.name != "UNKNOWN" else []
            ratings += [rate("enrichment", vector) for vector in vectors.get(name, ())]
            path = next((each.package_db for each in places if each.package_db), "")
            yield Finding(
                id=ids[0],
                kind=Kind.VULNERABILITY,
                severity=severity,
                title=one.description.strip().partition("\n")[0][:300],
                target=path if _kind(report, key) else f"{system.did} {system.version_id}".strip() or path,
                aliases=ids[1:],
                package=packages[key].name,
                version=packages[key].version,
                fixed=one.fixed_in_version,
                cvss=max((each.score for each in ratings if each.score is not None), default=None),
                url=next((link for link in one.links.split() if link.startswith("https://")), "")[:300],
                ratings=tuple(ratings),
                found_by=f"version, by {one.updater}" if one.updater else "version",
                published=one.issued if one.issued and one.issued.year > 1970 else None,
            )


def _vectors(enrichments: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield the CVSS vectors of vulnerabilities: what an enrichment has for each, by its id."""
    for documents in enrichments.values():
        for document in documents if isinstance(documents, list) else ():
            for name, scores in document.items() if isinstance(document, dict) else ():
                listed = (
                    [each for each in scores if isinstance(each, dict)] if isinstance(scores, list) else []
                )
                if found := [str(each["vectorString"]) for each in listed if each.get("vectorString")]:
                    yield name, found


def _severity(name: str) -> Severity:
    return _SEVERITIES.get(name.upper(), Severity.UNKNOWN)
