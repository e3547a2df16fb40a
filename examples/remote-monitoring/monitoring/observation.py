"""HL7 FHIR R4 Observations: what a gateway may send, and what a reader gets.

Codes: LOINC 59408-5 (oxygen saturation by pulse oximetry) and 8867-4 (heart rate); units from UCUM.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

MEDIA_TYPE = "application/fhir+json"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
CLOCK_DRIFT = timedelta(minutes=5)

_KNOWN = {
    "resourceType", "status", "category", "code", "subject", "effectiveDateTime", "valueQuantity", "device",
}  # fmt: skip
_PATIENT = re.compile(r"Patient/([A-Za-z0-9.-]{1,64})")
_DEVICE = re.compile(r"OX-[0-9]{6}")
_TAKEN = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Refused(ValueError):
    """The body is no Observation of ours. Its message names keys, never values: values are patient data."""


@dataclass(frozen=True)
class Measurement:
    """What a code stands for: its text, its UCUM unit, and the values that a sensor can mean."""

    text: str
    unit: str
    plausible: range


MEASUREMENTS = {
    "59408-5": Measurement(
        "Oxygen saturation in Arterial blood by Pulse oximetry", "%", plausible=range(10, 101)
    ),
    "8867-4": Measurement("Heart rate", "/min", plausible=range(10, 301)),
}


@dataclass(frozen=True)
class Observation:
    """One value of one patient. `taken` is in UTC; `id` is empty until it is stored."""

    device: str
    patient: str
    code: str
    value: int
    taken: datetime
    id: str = ""


def parse(body: bytes, now: datetime) -> Observation:
    """Return the Observation in a JSON body. Raise Refused."""
    given = _object(body)
    if unknown := given.keys() - _KNOWN:
        raise Refused(f"{len(unknown)} unknown key(s); known: {', '.join(sorted(_KNOWN))}")
    if given.get("resourceType") != "Observation" or given.get("status") != "final":
        raise Refused("resourceType, status: expected a final Observation")
    code = _code(given)
    return Observation(
        device=_text(_part(given, "device", "identifier", "value"), _DEVICE, "device.identifier.value")[0],
        patient=_text(_part(given, "subject", "reference"), _PATIENT, "subject.reference")[1],
        code=code,
        value=_value(given, MEASUREMENTS[code]),
        taken=_time(given, now),
    )


def resource(observation: Observation) -> dict[str, Any]:
    """Write an Observation as FHIR."""
    measurement = MEASUREMENTS[observation.code]
    return {
        "resourceType": "Observation",
        "id": observation.id,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": observation.code, "display": measurement.text}]},
        "subject": {"reference": f"Patient/{observation.patient}"},
        "effectiveDateTime": observation.taken.isoformat().replace("+00:00", "Z"),
        "valueQuantity": {
            "value": observation.value,
            "unit": measurement.unit,
            "system": UCUM,
            "code": measurement.unit,
        },
        "device": {"identifier": {"value": observation.device}},
    }


def bundle(total: int, found: list[Observation]) -> dict[str, Any]:
    """Write a search's answer as a searchset."""
    entries = [{"resource": resource(each), "search": {"mode": "match"}} for each in found]
    return {"resourceType": "Bundle", "type": "searchset", "total": total, "entry": entries}


def outcome(text: str) -> dict[str, Any]:
    """Write an error."""
    issue = {"severity": "error", "code": "processing", "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body.decode(), object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise Refused("the body is not JSON with distinct keys") from error
    if not isinstance(value, dict):
        raise Refused("the body is not a JSON object")
    return value


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # JSON parsers keep the last of two equal keys, and it is unknown which of two values is meant.
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _part(given: Any, *keys: str) -> Any:
    for key in keys:
        given = given.get(key) if isinstance(given, dict) else None
    return given


def _text(value: Any, pattern: re.Pattern[str], where: str) -> re.Match[str]:
    found = pattern.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise Refused(f"{where}: missing or malformed")
    return found


def _code(given: dict[str, Any]) -> str:
    coding = _part(given, "code", "coding")
    known = [
        each["code"]
        for each in (coding if isinstance(coding, list) else [])
        if _part(each, "system") == LOINC and each.get("code") in MEASUREMENTS
    ]
    if len(known) != 1:
        raise Refused(f"code.coding: expected one LOINC code of {', '.join(MEASUREMENTS)}")
    return str(known[0])


def _value(given: dict[str, Any], measurement: Measurement) -> int:
    quantity = given.get("valueQuantity")
    if _part(quantity, "system") != UCUM or _part(quantity, "code") != measurement.unit:
        raise Refused("valueQuantity: expected the UCUM unit of the measurement")
    value = _part(quantity, "value")
    if type(value) is not int or value not in measurement.plausible:  # `True` is an int to isinstance
        low, high = measurement.plausible.start, measurement.plausible.stop - 1
        raise Refused(f"valueQuantity.value: expected a whole number from {low} to {high}")
    return value


def _time(given: dict[str, Any], now: datetime) -> datetime:
    text = _text(given.get("effectiveDateTime"), _TAKEN, "effectiveDateTime")[0]
    try:
        taken = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise Refused("effectiveDateTime: no such time") from error
    if taken > now + CLOCK_DRIFT:
        raise Refused("effectiveDateTime: is in the future")
    return taken
