"""What a device sends: what is stored, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

Send = Callable[..., TestResponse]


@pytest.mark.requirement("SRS-001")
def test_a_reading_is_stored(send: Send, client: FlaskClient) -> None:
    answer = send()
    assert answer.status_code == 201
    assert answer.get_json()["alarms"] == []
    for key in answer.get_json()["observations"]:
        assert client.get(f"/fhir/Observation/{key}").status_code == 200


@pytest.mark.requirement("SRS-001")
def test_a_repeated_delivery_is_stored_once(send: Send, client: FlaskClient) -> None:
    first, again = send(), send(taken="2026-03-01T11:59:30Z")  # the same moment in another zone
    assert again.status_code == 200
    assert again.get_json() == first.get_json()
    assert client.get("/fhir/Observation?patient=p-42").get_json()["total"] == 2


@pytest.mark.requirement("SRS-001")
@pytest.mark.parametrize("changed", [{"spo2": 96}, {"pulse": 73}, {"patient": "p-43"}])
def test_another_reading_for_the_same_moment_is_refused(send: Send, changed: dict[str, Any]) -> None:
    send()
    assert send(**changed).status_code == 409


@pytest.mark.requirement("SRS-002")
@pytest.mark.parametrize("key", ["device", "patient", "taken", "spo2", "pulse"])
def test_every_key_is_required(send: Send, key: str) -> None:
    answer = send(**{key: None})
    assert answer.status_code == 422
    assert key in answer.get_json()["issue"][0]["diagnostics"]


@pytest.mark.requirement("SRS-002")
@pytest.mark.parametrize(
    "changed",
    [
        {"spO2": 97},
        {"spo2": 97.0},
        {"spo2": True},
        {"spo2": "97"},
        {"pulse": [72]},
        {"device": "OX-12"},
        {"device": "OX-000123\n"},
        {"device": "OX-٠٠٠١٢٣"},
        {"patient": ""},
        {"patient": "p/42"},
        {"patient": "p" * 65},
        {"taken": 1772366370},
    ],
)
def test_unknown_keys_and_wrong_types_are_refused(send: Send, changed: dict[str, Any]) -> None:
    assert send(**changed).status_code == 422


@pytest.mark.requirement("SRS-002")
@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{", b"\xff", b"[" * 4000, b'{"spo2": 97, "spo2": 79}', b'"' + b"9" * 4000],
)
def test_a_body_that_is_no_json_object_is_refused(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/readings", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.get_json()["resourceType"] == "OperationOutcome"


@pytest.mark.requirement("SRS-002")
def test_another_media_type_is_refused(client: FlaskClient) -> None:
    assert client.post("/readings", data=b"{}", content_type="text/plain").status_code == 415


@pytest.mark.requirement("SRS-003")
@pytest.mark.parametrize(("key", "lowest", "highest"), [("spo2", 10, 100), ("pulse", 10, 300)])
def test_implausible_values_are_refused(send: Send, key: str, lowest: int, highest: int) -> None:
    assert send(**{key: lowest - 1}).status_code == 422
    assert send(**{key: highest + 1}).status_code == 422
    assert send(**{key: lowest}).status_code == 201
    assert send(**{key: highest}, device="OX-000124").status_code == 201


@pytest.mark.requirement("SRS-004")
@pytest.mark.parametrize(
    "taken",
    [
        "2026-03-01T12:00:00",
        "2026-03-01",
        "2026-02-30T12:00:00Z",
        "2026-03-01T12:00:00+99:99",
        "2026-03-01T12:05:01Z",
        "2126-03-01T12:00:00Z",
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_a_time_without_zone_or_in_the_future_is_refused(send: Send, taken: str) -> None:
    assert send(taken=taken).status_code == 422


@pytest.mark.requirement("SRS-004")
def test_a_clock_five_minutes_ahead_is_accepted(send: Send) -> None:
    assert send(taken="2026-03-01T12:05:00Z").status_code == 201


@pytest.mark.requirement("SRS-005")
def test_a_body_above_4096_bytes_is_refused(client: FlaskClient) -> None:
    def post(size: int) -> int:
        body = json.dumps({}).encode().ljust(size)
        return client.post("/readings", data=body, content_type="application/json").status_code

    assert post(4096) == 422
    assert post(4097) == 413
