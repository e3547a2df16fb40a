"""What a hospital's records read: FHIR R4."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

Send = Callable[..., TestResponse]


@pytest.mark.requirement("SRS-012")
def test_saturation_is_an_observation(send: Send, client: FlaskClient) -> None:
    key = send(spo2=88).get_json()["observations"][0]
    answer = client.get(f"/fhir/Observation/{key}")
    assert answer.mimetype == "application/fhir+json"
    found = answer.get_json()
    assert (found["resourceType"], found["id"], found["status"]) == ("Observation", key, "final")
    assert [c["code"] for c in found["code"]["coding"]] == ["59408-5", "2708-6"]
    assert found["category"][0]["coding"][0]["code"] == "vital-signs"
    assert found["subject"] == {"reference": "Patient/p-42"}
    assert found["effectiveDateTime"] == "2026-03-01T11:59:30.000Z"
    assert found["valueQuantity"] == {
        "value": 88,
        "unit": "%",
        "system": "http://unitsofmeasure.org",
        "code": "%",
    }
    assert found["interpretation"][0]["coding"][0]["code"] == "L"


@pytest.mark.requirement("SRS-012")
def test_pulse_is_an_observation(send: Send, client: FlaskClient) -> None:
    key = send(pulse=150).get_json()["observations"][1]
    found = client.get(f"/fhir/Observation/{key}").get_json()
    assert [c["code"] for c in found["code"]["coding"]] == ["8867-4"]
    assert (found["valueQuantity"]["value"], found["valueQuantity"]["code"]) == (150, "/min")
    assert found["interpretation"][0]["coding"][0]["code"] == "H"


@pytest.mark.requirement("SRS-012")
@pytest.mark.parametrize(("spo2", "code"), [(97, "N"), (89, "L"), (84, "LL")])
def test_the_interpretation_follows_the_limits(send: Send, client: FlaskClient, spo2: int, code: str) -> None:
    key = send(spo2=spo2).get_json()["observations"][0]
    found = client.get(f"/fhir/Observation/{key}").get_json()
    assert found["interpretation"][0]["coding"][0]["code"] == code


@pytest.mark.requirement("SRS-012")
def test_an_unknown_observation_is_an_operation_outcome(client: FlaskClient) -> None:
    answer = client.get("/fhir/Observation/none")
    assert answer.status_code == 404
    assert answer.get_json()["resourceType"] == "OperationOutcome"
    assert answer.get_json()["issue"][0]["code"] == "not-found"


@pytest.mark.requirement("SRS-013")
@pytest.mark.parametrize(
    ("code", "values"),
    [
        ("59408-5", [96, 97]),
        ("http://loinc.org|2708-6", [96, 97]),
        ("8867-4", [71, 72]),
        ("59408-5,8867-4", [71, 72, 96, 97]),
        ("8480-6", []),
    ],
)
def test_observations_are_searched_by_code(
    send: Send, client: FlaskClient, code: str, values: list[int]
) -> None:
    send()
    send(taken="2026-03-01T10:00:00Z", spo2=96, pulse=71)
    send(patient="p-43", device="OX-000124")
    bundle = client.get(
        "/fhir/Observation", query_string={"patient": "Patient/p-42", "code": code}
    ).get_json()
    assert (bundle["resourceType"], bundle["type"], bundle["total"]) == ("Bundle", "searchset", len(values))
    assert sorted(entry["resource"]["valueQuantity"]["value"] for entry in bundle["entry"]) == values
    assert all(entry["fullUrl"].endswith(entry["resource"]["id"]) for entry in bundle["entry"])


@pytest.mark.requirement("SRS-013")
def test_the_pages_of_a_search_hold_everything_once(send: Send, client: FlaskClient) -> None:
    for minute in range(10, 15):
        send(taken=f"2026-03-01T10:{minute}:00Z")
    url, seen = "/fhir/Observation?patient=p-42&_count=3", []
    while url:
        bundle = client.get(url).get_json()
        assert bundle["total"] == 10
        seen += [entry["resource"]["id"] for entry in bundle["entry"]]
        url = {link["relation"]: link["url"] for link in bundle["link"]}.get("next", "")
    assert len(seen) == len(set(seen)) == 10


@pytest.mark.requirement("SRS-013")
@pytest.mark.parametrize(
    "query", ["", "code=59408-5", "patient=p-42&date=2026", "patient=a&patient=b", "patient=a&_count=-1"]
)
def test_a_search_that_is_not_understood_is_refused(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/fhir/Observation?{query}")
    assert answer.status_code == 400
    assert answer.get_json()["resourceType"] == "OperationOutcome"
