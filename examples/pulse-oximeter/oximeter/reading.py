"""What a device may send, checked before anything else sees it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SPO2 = range(10, 101)  # percent; outside it the sensor is off or broken, not the patient
PULSE = range(10, 301)  # beats per minute
CLOCK_DRIFT = timedelta(minutes=5)

_DEVICE = re.compile(r"OX-[0-9]{6}")
_PATIENT = re.compile(r"[A-Za-z0-9.-]{1,64}")  # FHIR's `id`
_TAKEN = re.compile(
    r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


class NotJSON(ValueError):
    """The body is not one JSON object with distinct keys."""


class Refused(ValueError):
    """The body is JSON but not a reading. Its message names keys, never values: values are patient data."""


@dataclass(frozen=True)
class Reading:
    """One measurement. `taken` is in UTC, `spo2` in percent, `pulse` in beats per minute."""

    device: str
    patient: str
    taken: datetime
    spo2: int
    pulse: int


def parse(body: bytes, now: datetime) -> Reading:
    """Return the reading in a JSON body. Raise NotJSON or Refused."""
    given = _object(body)
    expected = {"device", "patient", "taken", "spo2", "pulse"}
    if missing := expected - given.keys():
        raise Refused(f"missing: {', '.join(sorted(missing))}")
    if len(given) > len(expected):
        raise Refused(f"only these keys are known: {', '.join(sorted(expected))}")
    return Reading(
        device=_text(given, "device", _DEVICE, "OX- and six digits"),
        patient=_text(given, "patient", _PATIENT, "1 to 64 letters, digits, '-' or '.'"),
        taken=_time(given, now),
        spo2=_number(given, "spo2", SPO2),
        pulse=_number(given, "pulse", PULSE),
    )


def _object(body: bytes) -> dict[str, object]:
    try:
        value = json.loads(body.decode(), object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise NotJSON("the body is not JSON with distinct keys") from error
    if not isinstance(value, dict):
        raise NotJSON("the body is not a JSON object")
    return value


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # JSON parsers keep the last of two equal keys, and it is unknown which of two SpO2 values is meant.
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _text(given: dict[str, object], key: str, pattern: re.Pattern[str], expected: str) -> str:
    value = given[key]
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Refused(f"{key}: expected {expected}")
    return value


def _number(given: dict[str, object], key: str, plausible: range) -> int:
    value = given[key]
    if type(value) is not int or value not in plausible:  # `True` is an int to isinstance
        raise Refused(f"{key}: expected a whole number from {plausible.start} to {plausible.stop - 1}")
    return value


def _time(given: dict[str, object], now: datetime) -> datetime:
    text = _text(given, "taken", _TAKEN, "an RFC 3339 time with zone")
    try:
        taken = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise Refused("taken: no such time") from error
    if taken > now + CLOCK_DRIFT:
        raise Refused("taken: is in the future")
    return taken
