"""Our decisions as a CycloneDX VEX, with references into the SBOM of our record.

Sources: CycloneDX 1.6, `vulnerabilities[].analysis`; BOM-Link as cyclonedx-go 0.12 reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from autoclave.model.declared import Justification, SignedWaiver, VexStatus, Waiver
from autoclave.model.facts import Finding

_WRITTEN = {
    VexStatus.NOT_AFFECTED: "not_affected",
    VexStatus.AFFECTED: "exploitable",
    VexStatus.FIXED: "resolved",
    VexStatus.UNDER_INVESTIGATION: "in_triage",
}
_JUSTIFIED = {
    Justification.COMPONENT_NOT_PRESENT: "code_not_present",
    Justification.VULNERABLE_CODE_NOT_PRESENT: "code_not_present",
    Justification.VULNERABLE_CODE_NOT_IN_EXECUTE_PATH: "code_not_reachable",
    Justification.VULNERABLE_CODE_CANNOT_BE_CONTROLLED: "requires_environment",
    Justification.INLINE_MITIGATIONS: "protected_by_mitigating_control",
}


def write(
    waived: Sequence[tuple[SignedWaiver, Sequence[Finding]]],
    *,
    serial: str,
    refs: dict[str, str],
    author: str,
    now: datetime,
) -> dict[str, Any]:
    """Return our decisions as a CycloneDX VEX. `serial` is the SBOM's; `refs` its bom-refs by package URL.

    There is one entry for each name of a vulnerability, with all its components: Trivy compares the id alone,
    and reads the last entry that has it.
    """
    entries: dict[tuple[str, str], dict[str, Any]] = {}
    for signed, findings in waived:
        for finding in findings:
            for each in (finding.id, *finding.aliases) if finding.purl else ():
                entry = entries.setdefault((each, signed.waiver.id), _entry(each, finding, signed.waiver))
                place = {"ref": _link(finding, serial, refs)}
                if place not in entry["affects"]:
                    entry["affects"].append(place)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"timestamp": now, "authors": [{"name": author}]},
        "vulnerabilities": list(entries.values()),
    }


def _entry(name: str, finding: Finding, waiver: Waiver) -> dict[str, Any]:
    analysis: dict[str, Any] = {
        "state": _WRITTEN[waiver.status],
        "detail": waiver.rationale,
        "lastUpdated": waiver.created,
    }
    if waiver.justification:
        analysis["justification"] = _JUSTIFIED[waiver.justification]
    others = [each for each in (finding.id, *finding.aliases) if each != name]
    return {
        "id": name,
        "references": [{"id": each, "source": {"name": each.partition("-")[0]}} for each in others],
        "ratings": [{"severity": str(finding.severity)}],
        "analysis": analysis,
        "affects": [],
    }


def _link(finding: Finding, serial: str, refs: dict[str, str]) -> str:
    """Return a reference into the SBOM, percent-encoded in a link: Trivy's are package URLs."""
    ref = refs.get(finding.purl, finding.purl)
    return f"urn:cdx:{serial.removeprefix('urn:uuid:')}/1#{quote(ref, safe='')}" if serial else ref
