"""Restart, health, and what the log keeps to itself."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

Send = Callable[..., TestResponse]
Restart = Callable[[], FlaskClient]


@pytest.mark.requirement("SRS-011")
def test_readings_and_alarms_survive_a_restart(send: Send, client: FlaskClient, restart: Restart) -> None:
    key = send(spo2=80, pulse=40).get_json()["observations"][0]
    low, _ = client.get("/alarms").get_json()["alarms"]
    client.post(f"/alarms/{low['id']}/acknowledgement", headers={"X-User": "n.meier"})
    before = client.get("/alarms").get_json()
    again = restart()
    assert again.get(f"/fhir/Observation/{key}").get_json()["valueQuantity"]["value"] == 80
    assert again.get("/alarms").get_json() == before
    assert len(before["alarms"]) == 1


@pytest.mark.requirement("SRS-011")
def test_health_fails_when_the_volume_is_lost(client: FlaskClient, tmp_path: Path) -> None:
    assert client.get("/health").get_json() == {"status": "ok"}
    shutil.rmtree(tmp_path)
    assert client.get("/health").status_code == 500


@pytest.mark.requirement("SRS-014")
def test_the_log_contains_no_patient_data(
    send: Send, client: FlaskClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    send(patient="secret-patient", spo2=81, pulse=47)
    send(patient="secret/patient", spo2=81)
    client.get("/fhir/Observation?patient=secret-patient")
    shutil.rmtree(tmp_path)
    client.get("/fhir/Observation?patient=secret-patient")
    send(patient="secret-patient")
    assert "reading stored, alarms due: 2" in caplog.text
    assert "request failed: OperationalError" in caplog.text
    assert "secret" not in caplog.text
    assert "81" not in [word for record in caplog.records for word in record.getMessage().split()]
