"""The findings of a scan as a GitLab container-scanning report.

Source of the format: GitLab's security report schemas, container-scanning 15.0.7.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from autoclave import __version__
from autoclave.model.facts import Finding, Kind, ScanFacts

SCHEMA = "15.0.7"

_NAMESPACE = uuid.UUID("6f1b2a54-3f5e-5d0c-9a41-0f6e0c7d2b11")
_LONGEST_NAME = 255
_LONGEST_SOLUTION = 7000
_LINKS = ("https://", "http://", "ftp://")
_TYPES = ("cve", "ghsa", "cwe", "pysec", "rustsec", "go")


def render(facts: ScanFacts, *, image: str) -> bytes:
    """Return the report as JSON. `image` is what GitLab shows as the scanned image: `name@sha256:…`.

    Ids stay the same from one image to the next, so that GitLab recognises a finding again. Times are
    UTC without a zone, as the schema requires.
    """
    return msgspec.json.encode(
        {
            "version": SCHEMA,
            "scan": _scan(facts),
            "vulnerabilities": [_vulnerability(finding, facts, image) for finding in facts.findings],
            "remediations": [],
        }
    )


def merge(reports: Sequence[bytes]) -> bytes:
    """Return several reports as one: GitLab accepts one container-scanning report from a job.

    A finding in several images is one finding of each; its id tells them apart. What several scanners report
    alike of one image is one finding, as the first of them has it.
    """
    read = [msgspec.json.decode(report) for report in reports]
    scan = read[0]["scan"] | {
        "start_time": min(each["scan"]["start_time"] for each in read),
        "end_time": max(each["scan"]["end_time"] for each in read),
    }
    found: dict[str, Any] = {}
    for each in (one for report in read for one in report["vulnerabilities"]):
        own = str(uuid.uuid5(uuid.UUID(each["id"]), each["location"]["image"]))
        found.setdefault(own, each | {"id": own})
    return msgspec.json.encode(read[0] | {"scan": scan, "vulnerabilities": list(found.values())})


def _scan(facts: ScanFacts) -> dict[str, Any]:
    return {
        "type": "container_scanning",
        "status": "success",
        "start_time": _time(facts.started),
        "end_time": _time(facts.finished),
        "analyzer": _tool("autoclave", "Autoclave", __version__),
        "scanner": _tool(facts.scanner, facts.scanner.title(), facts.scanner_version),
    }


def _tool(name: str, title: str, version: str) -> dict[str, Any]:
    return {"id": name, "name": title, "version": version, "vendor": {"name": title}}


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _vulnerability(finding: Finding, facts: ScanFacts, image: str) -> dict[str, Any]:
    linked = finding.url.startswith(_LINKS)
    return {
        "id": _stable_id(finding),
        "name": (finding.title or finding.id)[:_LONGEST_NAME],
        "description": f"{finding.title or finding.id} ({finding.target})",
        "severity": finding.severity.value.title(),
        "solution": _solution(finding)[:_LONGEST_SOLUTION],
        "location": {
            # Secrets and misconfigurations have no package; the schema requires one.
            "dependency": {
                "package": {"name": finding.package or finding.target},
                "version": finding.version,
            },
            "operating_system": facts.os or "unknown",
            "image": image,
        },
        "identifiers": _identifiers(finding, facts.scanner),
        "links": [{"url": finding.url}] if linked else [],
    }


def _stable_id(finding: Finding) -> str:
    parts = (finding.kind.value, finding.id, finding.package, finding.version, finding.target, finding.title)
    return str(uuid.uuid5(_NAMESPACE, msgspec.json.encode(parts).decode()))


def _solution(finding: Finding) -> str:
    if finding.kind is not Kind.VULNERABILITY:
        return ""
    if not finding.fixed:
        return "No fixed version is known."
    return f"Upgrade {finding.package} to {finding.fixed}"


def _identifiers(finding: Finding, scanner: str) -> list[dict[str, str]]:
    identifiers = [_identifier(one, finding, scanner) for one in (finding.id, *finding.aliases)]
    if finding.url.startswith(_LINKS):
        identifiers[0]["url"] = finding.url
    return identifiers


def _identifier(one: str, finding: Finding, scanner: str) -> dict[str, str]:
    prefix = one.split("-", 1)[0].lower()
    kind = prefix if prefix in _TYPES else f"{scanner}_{finding.kind.value}"
    return {"type": kind, "name": one, "value": one}
