"""A FHIR R4 Observation as gateways send it, checked, and as it is given out.

Codes: LOINC 59408-5 (SpO2 by pulse oximetry) and 8867-4 (heart rate); units from UCUM.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

MEDIA_TYPE = "application/fhir+json"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"

_AHEAD = timedelta(minutes=5)
_IDENTIFIER = re.compile(r"[A-Za-z0-9.-]{1,64}")


class Refused(ValueError):
    """The Observation is not stored; the text says why, without its values."""


@dataclass(frozen=True)
class Code:
    """What is measured: its name, unit, and the range outside of which a sensor cannot be right."""

    display: str
    unit: str
    lowest: int
    highest: int


CODES = {
    "59408-5": Code("Oxygen saturation in Arterial blood by Pulse oximetry", "%", 10, 100),
    "8867-4": Code("Heart rate", "/min", 10, 300),
}


@dataclass(frozen=True)
class Observation:
    """One plausible value of one patient; `taken` has a zone."""

    patient: str
    device: str
    code: str
    value: Decimal
    taken: datetime
    taken_text: str


def read(body: Any, now: datetime) -> Observation:
    """Check a decoded body. Raises Refused."""
    if _at(body, "resourceType") != "Observation" or _at(body, "status") != "final":
        raise Refused("this is not a final Observation")
    reference = _text(body, "subject", "reference")
    kind, _, patient = reference.partition("/")
    device = _text(body, "device", "identifier", "value")
    if kind != "Patient" or not _IDENTIFIER.fullmatch(patient) or not _IDENTIFIER.fullmatch(device):
        raise Refused("subject.reference or device.identifier.value is not an identifier")
    code = _code(body)
    taken_text = _text(body, "effectiveDateTime")
    return Observation(patient, device, code, _value(body, CODES[code]), _time(taken_text, now), taken_text)


def written(row: Sequence[Any]) -> dict[str, Any]:
    """Write a stored row (id, patient, device, code, value, taken_text, received) as a resource."""
    identifier, patient, device, code, value, taken_text, received = row
    known = CODES[code]
    return {
        "resourceType": "Observation",
        "id": str(identifier),
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code, "display": known.display}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": taken_text,
        "issued": received.isoformat(),
        "valueQuantity": {
            "value": int(value) if value == int(value) else float(value),
            "unit": known.unit,
            "system": UCUM,
            "code": known.unit,
        },
        "device": {"identifier": {"value": device}},
    }


def _code(body: Any) -> str:
    codings = _at(body, "code", "coding")
    found = [
        each["code"]
        for each in (codings if isinstance(codings, list) else [])
        if isinstance(each, dict) and each.get("system") == LOINC and each.get("code") in CODES.keys()
    ]
    if len(found) != 1:
        raise Refused("code names none, or more than one, of the values that are stored here")
    return str(found[0])


def _value(body: Any, code: Code) -> Decimal:
    value = _at(body, "valueQuantity", "value")
    if _at(body, "valueQuantity", "system") != UCUM or _at(body, "valueQuantity", "code") != code.unit:
        raise Refused("valueQuantity has another unit")
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not code.lowest <= value <= code.highest:
        raise Refused("valueQuantity.value is outside of what can be measured")
    return Decimal(value)


def _time(text: str, now: datetime) -> datetime:
    try:
        taken = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused("effectiveDateTime is not a time") from error
    if taken.tzinfo is None:
        raise Refused("effectiveDateTime has no zone")
    if taken > now + _AHEAD:
        raise Refused("effectiveDateTime lies ahead of this service's clock")
    return taken


def _text(body: Any, *path: str) -> str:
    value = _at(body, *path)
    if not isinstance(value, str):
        raise Refused(f"{'.'.join(path)} is missing")
    return value


def _at(body: Any, *path: str) -> Any:
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body
