"""The findings of a scan as SARIF, as GitHub's code scanning reads it.

Source: docs.github.com, "SARIF support for code scanning" (what is read, limits of a file): at most 20 runs,
each with a category of its own; 25,000 results a run, of which 5,000 are shown, the most severe first; an
alert is known again by `primaryLocationLineHash`; `security-severity` is a number from 0 to 10 as text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from autoclave import __version__
from autoclave.model.facts import Finding, Kind, ScanFacts, Severity

MOST_RUNS = 20
MOST_RESULTS = 5000

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVEL = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    # Nobody has judged it: that is no reason to show it as a mere note.
    Severity.UNKNOWN: "warning",
}
# Where a finding has no score: a number in the range that GitHub shows under the same word.
_SCORE = {Severity.CRITICAL: 9.5, Severity.HIGH: 8.0, Severity.MEDIUM: 5.5, Severity.LOW: 2.0}
_ORDER = (Severity.CRITICAL, Severity.HIGH, Severity.UNKNOWN, Severity.MEDIUM, Severity.LOW)
_LINKS = ("https://", "http://")
_LONGEST = 1000  # characters of a title


def render(scanned: Sequence[tuple[str, ScanFacts]]) -> bytes:
    """Return the findings of images, by name, as JSON: one run for each image and scanner.

    The most severe results of the first runs are in it; the rest of more than GitHub accepts is left out.
    The records of the scan have all of them.
    """
    runs = [_run(image, facts) for image, facts in scanned[:MOST_RUNS]]
    return msgspec.json.encode({"$schema": _SCHEMA, "version": "2.1.0", "runs": runs})


def _run(image: str, facts: ScanFacts) -> dict[str, Any]:
    ordered = sorted(facts.findings, key=lambda each: _ORDER.index(each.severity))
    shown = ordered[:MOST_RESULTS]
    rules: dict[str, Finding] = {}
    for each in shown:
        rules.setdefault(each.id, each)
    places = {name: place for place, name in enumerate(rules)}
    return {
        "tool": {
            "driver": {
                "name": facts.scanner.title(),
                "version": facts.scanner_version,
                "rules": [_rule(each) for each in rules.values()],
            },
            "extensions": [{"name": "Autoclave", "version": __version__}],
        },
        # What is before the last slash is the category, by which alerts of two images stay apart.
        "automationDetails": {"id": f"autoclave/{image}/{facts.scanner}/"},
        "results": [_result(each, places[each.id], image) for each in shown],
    }


def _rule(finding: Finding) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": finding.id,
        "shortDescription": {"text": _title(finding)},
        "properties": {"tags": [finding.kind.value, "security"]},
    }
    if (score := finding.cvss if finding.cvss is not None else _SCORE.get(finding.severity)) is not None:
        rule["properties"]["security-severity"] = f"{score:.1f}"
    if finding.url.startswith(_LINKS):
        rule["helpUri"] = finding.url
    return rule


def _result(finding: Finding, rule: int, image: str) -> dict[str, Any]:
    return {
        "ruleId": finding.id,
        "ruleIndex": rule,
        "level": _LEVEL[finding.severity],
        "message": {"text": _message(finding, image)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _place(finding, image)},
                    "region": {"startLine": 1},
                }
            }
        ],
        "partialFingerprints": {"primaryLocationLineHash": f"{_identify(finding)}:1"},
    }


def _title(finding: Finding) -> str:
    return (finding.title or finding.id)[:_LONGEST]


def _message(finding: Finding, image: str) -> str:
    what = f"{finding.package} {finding.version}".strip()
    parts = [f"{finding.severity.value} {finding.id} in image {image}"]
    parts += [f"{what} ({finding.target})" if what else finding.target, _title(finding)]
    if finding.kind is Kind.VULNERABILITY:
        parts.append(f"fixed in {finding.fixed}" if finding.fixed else "no fixed version is known")
    # In a message a pair of brackets is a link: [text](address).
    return re.sub(r"([\\\[\]])", r"\\\1", ". ".join(part for part in parts if part))


def _place(finding: Finding, image: str) -> str:
    """Return where a finding is, as a relative address: below the image's name, never outside of it."""
    parts = [part for part in finding.target.split("/") if part not in {"", ".", ".."}]
    return "/".join(quote(part, safe="") for part in [image, *parts])


def _identify(finding: Finding) -> str:
    parts = (finding.kind.value, finding.id, finding.package, finding.version, finding.target, finding.title)
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]
