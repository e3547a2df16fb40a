"""Storing and reading Observations, against the real database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from monitoring.storage import Storage

from conftest import Client, serving

Reading = Callable[..., dict[str, Any]]


def quantity(value: object, unit: str = "%", system: str = "http://unitsofmeasure.org") -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": system, "code": unit}


def coded(code: str, system: str = "http://loinc.org") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


@pytest.mark.requirement("RM-001")
def test_a_reading_is_stored_once(client: Client, reading: Reading, patient: str) -> None:
    first = client.post(reading())
    again = client.post(reading())
    assert (first[0], again[0]) == (201, 200)
    assert first[1]["id"] == again[1]["id"]
    assert client.get(f"/fhir/Observation?patient={patient}")[1]["total"] == 1


@pytest.mark.requirement("RM-006")
def test_another_value_for_the_same_moment_is_refused(client: Client, reading: Reading) -> None:
    assert client.post(reading())[0] == 201
    assert client.post(reading(valueQuantity=quantity(96)))[0] == 409


@pytest.mark.requirement("RM-007")
def test_a_reading_can_be_read_by_its_id(client: Client, reading: Reading, patient: str) -> None:
    key = client.post(reading())[1]["id"]
    status, found = client.get(f"/fhir/Observation/{key}")
    assert status == 200
    assert found["subject"] == {"reference": f"Patient/{patient}"}
    assert found["effectiveDateTime"] == "2026-03-01T11:59:30Z"
    assert found["code"]["coding"][0]["code"] == "59408-5"
    assert found["valueQuantity"] == quantity(97)
    for other in ("00000000-0000-0000-0000-000000000000", "1", "../etc/passwd"):
        assert client.get(f"/fhir/Observation/{other}")[0] == 404


@pytest.mark.requirement("RM-008")
def test_a_patients_readings_are_searched_newest_first(
    client: Client, reading: Reading, patient: str
) -> None:
    for minute in range(3):
        client.post(reading(effectiveDateTime=f"2026-03-01T10:0{minute}:00Z"))
    client.post(reading(code=coded("8867-4"), valueQuantity=quantity(72, "/min")))
    everything = client.get(f"/fhir/Observation?patient=Patient/{patient}")[1]
    assert everything["total"] == 4
    newest = client.get(f"/fhir/Observation?patient={patient}&code=59408-5&_count=2")[1]
    assert newest["total"] == 3
    times = [each["resource"]["effectiveDateTime"] for each in newest["entry"]]
    assert times == ["2026-03-01T10:02:00Z", "2026-03-01T10:01:00Z"]
    assert client.get(f"/fhir/Observation?patient={patient}&code=1-1")[1]["total"] == 0


@pytest.mark.requirement("RM-008")
@pytest.mark.parametrize(
    "query", ["", "code=59408-5", "patient=p&patient=q", "patient=p&date=2026", "patient=p&_count=x"]
)
def test_a_search_that_cannot_be_understood_is_refused(client: Client, query: str) -> None:
    assert client.get(f"/fhir/Observation?{query}")[0] == 400


@pytest.mark.requirement("RM-002")
@pytest.mark.parametrize(
    "changed",
    [
        {"resourceType": "Patient"},
        {"status": "cancelled"},
        {"status": None},
        {"code": coded("1-1")},
        {"code": coded("59408-5", "urn:x")},
        {"code": {"coding": [*coded("59408-5")["coding"], *coded("8867-4")["coding"]]}},
        {"code": None},
        {"subject": {"reference": "Group/1"}},
        {"subject": {"reference": "Patient/a b"}},
        {"subject": "Patient/1"},
        {"device": {"identifier": {"value": "X"}}},
        {"modifierExtension": []},
    ],
)
def test_what_is_no_observation_of_ours_is_refused(
    client: Client, reading: Reading, changed: dict[str, Any]
) -> None:
    assert client.post(reading(**changed))[0] == 422


@pytest.mark.requirement("RM-002")
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b'{"status": "final", "status": "final"}', b"[" * 9000]
)
def test_what_is_not_json_is_refused(client: Client, body: bytes) -> None:
    assert client.ask("POST", "/fhir/Observation", body)[0] == 422


@pytest.mark.requirement("RM-003")
@pytest.mark.parametrize(
    "wrong",
    [
        quantity(9),
        quantity(101),
        quantity(97.5),
        quantity(True),
        quantity("97"),
        quantity(None),
        quantity(97, "/min"),
        quantity(97, system="urn:x"),
        {},
        None,
    ],
)
def test_implausible_values_are_refused(client: Client, reading: Reading, wrong: Any) -> None:
    assert client.post(reading(valueQuantity=wrong))[0] == 422


@pytest.mark.requirement("RM-004")
@pytest.mark.parametrize(
    ("taken", "status"),
    [
        ("2026-03-01T12:05:00Z", 201),
        ("2026-03-01T12:05:01Z", 422),
        ("2026-03-01T12:00:00", 422),
        ("2026-02-30T12:00:00Z", 422),
        ("yesterday", 422),
        (1, 422),
    ],
)
def test_impossible_times_are_refused(client: Client, reading: Reading, taken: object, status: int) -> None:
    assert client.post(reading(effectiveDateTime=taken))[0] == status


@pytest.mark.requirement("RM-005")
def test_a_large_body_is_refused(client: Client) -> None:
    assert client.ask("POST", "/fhir/Observation", b" " * (16 * 1024 + 1))[0] == 413


@pytest.mark.requirement("RM-011")
def test_readings_survive_a_restart_of_the_service(
    client: Client, storage: Storage, reading: Reading, patient: str
) -> None:
    key = client.post(reading())[1]["id"]
    assert storage.migrate() == []
    with serving(storage) as restarted:
        assert restarted.get(f"/fhir/Observation/{key}")[0] == 200
        assert restarted.get(f"/fhir/Observation?patient={patient}")[1]["total"] == 1
