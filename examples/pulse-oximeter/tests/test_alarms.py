"""When an alarm is raised, how long it stands, and which limits are refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from oximeter.limits import Limits, UnsafeLimits
from werkzeug.test import TestResponse

Send = Callable[..., TestResponse]
Standing = Callable[[], list[tuple[str, str]]]


@pytest.mark.requirement("SRS-006")
def test_low_saturation_raises_a_medium_alarm(send: Send, standing: Standing) -> None:
    send(spo2=90)
    assert standing() == []
    send(spo2=89, device="OX-000124")
    assert standing() == [("spo2-low", "medium")]


@pytest.mark.requirement("SRS-007")
def test_critical_saturation_raises_a_high_alarm(send: Send, standing: Standing) -> None:
    send(spo2=85)
    assert standing() == [("spo2-low", "medium")]
    send(spo2=84, device="OX-000124")
    assert standing() == [("spo2-critical", "high"), ("spo2-low", "medium")]


@pytest.mark.requirement("SRS-008")
@pytest.mark.parametrize(("quiet", "loud", "kind"), [(50, 49, "pulse-low"), (120, 121, "pulse-high")])
def test_pulse_beyond_a_limit_raises_a_medium_alarm(
    send: Send, standing: Standing, quiet: int, loud: int, kind: str
) -> None:
    send(pulse=quiet)
    assert standing() == []
    send(pulse=loud, device="OX-000124")
    assert standing() == [(kind, "medium")]


@pytest.mark.requirement("SRS-006")
@pytest.mark.requirement("SRS-008")
def test_the_limits_can_be_set() -> None:
    limits = Limits.read({"ALARM_SPO2_LOW": "94", "ALARM_PULSE_HIGH": "140"})
    assert limits == Limits(spo2_low=94, spo2_critical=85, pulse_low=50, pulse_high=140)


@pytest.mark.requirement("SRS-009")
@pytest.mark.parametrize(
    "environment",
    [
        {"ALARM_SPO2_LOW": ""},
        {"ALARM_SPO2_LOW": "90.0"},
        {"ALARM_SPO2_LOW": "0"},
        {"ALARM_SPO2_CRITICAL": "10"},
        {"ALARM_SPO2_CRITICAL": "90"},
        {"ALARM_PULSE_LOW": "-1"},
        {"ALARM_PULSE_HIGH": "999"},
        {"ALARM_PULSE_HIGH": " 120"},
    ],
)
def test_unsafe_limits_are_refused(environment: dict[str, str]) -> None:
    with pytest.raises(UnsafeLimits, match=next(iter(environment))):
        Limits.read(environment)


@pytest.mark.requirement("SRS-009")
def test_the_service_does_not_start_with_unsafe_limits(tmp_path: Path) -> None:
    environment = {**os.environ, "OXIMETER_DATA": str(tmp_path), "ALARM_SPO2_LOW": "0"}
    service = subprocess.run(
        [sys.executable, "-m", "oximeter"],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert service.returncode == 1
    assert "ALARM_SPO2_LOW must be a whole number" in service.stderr


@pytest.mark.requirement("SRS-010")
def test_an_alarm_stands_after_the_value_recovered(send: Send, standing: Standing) -> None:
    send(spo2=80)
    send(spo2=99, device="OX-000124")
    send(spo2=80, device="OX-000125")
    assert standing() == [("spo2-critical", "high")]


@pytest.mark.requirement("SRS-010")
def test_patients_have_their_own_alarms(send: Send, standing: Standing) -> None:
    send(spo2=80)
    send(spo2=80, patient="p-43", device="OX-000124")
    assert len(standing()) == 2


@pytest.mark.requirement("SRS-010")
def test_a_named_person_acknowledges(send: Send, client: FlaskClient, standing: Standing) -> None:
    send(spo2=80)
    (alarm,) = client.get("/alarms").get_json()["alarms"]
    path = f"/alarms/{alarm['id']}/acknowledgement"
    assert client.post(path).status_code == 400
    assert standing()
    assert client.post(path, headers={"X-User": "n.meier"}).status_code == 204
    assert standing() == []
    assert client.post(path, headers={"X-User": "n.meier"}).status_code == 404
    send(spo2=80, device="OX-000124")
    assert standing() == [("spo2-critical", "high")]
