"""HL7 FHIR R4 resources, as JSON-ready dictionaries.

Codes: the vital-signs profiles `oxygensat` (LOINC 2708-6, with 59408-5 for pulse oximetry) and
`heartrate` (8867-4); units from UCUM.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oximeter.storage import Observation

MEDIA_TYPE = "application/fhir+json"
LOINC = "http://loinc.org"
HL7 = "http://terminology.hl7.org/CodeSystem"


@dataclass(frozen=True)
class Measurement:
    """What FHIR calls one of our values; LOINC code to display text, the most specific first."""

    loinc: dict[str, str]
    unit: str
    profile: str


MEASUREMENTS = {
    "spo2": Measurement(
        loinc={
            "59408-5": "Oxygen saturation in Arterial blood by Pulse oximetry",
            "2708-6": "Oxygen saturation in Arterial blood",
        },
        unit="%",
        profile="http://hl7.org/fhir/StructureDefinition/oxygensat",
    ),
    "pulse": Measurement(
        loinc={"8867-4": "Heart rate"},
        unit="/min",
        profile="http://hl7.org/fhir/StructureDefinition/heartrate",
    ),
}
MEANINGS = {"LL": "Critical low", "L": "Low", "N": "Normal", "H": "High"}


def codes(token: str) -> list[str]:
    """Return our names for a search token (`CODE` or `http://loinc.org|CODE`, several parted by commas)."""
    wanted = {part.removeprefix(f"{LOINC}|") for part in token.split(",")}
    return [name for name, measurement in MEASUREMENTS.items() if wanted & measurement.loinc.keys()]


def observation(row: Observation) -> dict[str, Any]:
    """Write one value as an Observation."""
    measurement, meaning = MEASUREMENTS[row.code], MEANINGS[row.interpretation]
    return {
        "resourceType": "Observation",
        "id": row.id,
        "meta": {"profile": [measurement.profile]},
        "status": "final",
        "category": [_concept(f"{HL7}/observation-category", {"vital-signs": "Vital Signs"})],
        "code": _concept(LOINC, measurement.loinc),
        "subject": {"reference": f"Patient/{row.patient}"},
        "effectiveDateTime": row.taken,
        "issued": row.received,
        "valueQuantity": {
            "value": row.value,
            "unit": measurement.unit,
            "system": "http://unitsofmeasure.org",
            "code": measurement.unit,
        },
        "interpretation": [_concept(f"{HL7}/v3-ObservationInterpretation", {row.interpretation: meaning})],
        "device": {"identifier": {"value": row.device}},
    }


def bundle(base: str, total: int, rows: Sequence[Observation], links: dict[str, str]) -> dict[str, Any]:
    """Write one page of a search as a searchset; `base` is the server's FHIR address."""
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": total,
        "link": [{"relation": relation, "url": url} for relation, url in links.items()],
        "entry": [
            {
                "fullUrl": f"{base}/Observation/{row.id}",
                "resource": observation(row),
                "search": {"mode": "match"},
            }
            for row in rows
        ],
    }


def outcome(code: str, text: str) -> dict[str, Any]:
    """Write an error; `code` comes from FHIR's IssueType."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": code, "diagnostics": text}],
    }


def _concept(system: str, meanings: dict[str, str]) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": c, "display": d} for c, d in meanings.items()]}
