"""When an alarm is raised, how long it stays active, and which limits are refused."""

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
Alarms = Callable[[], list[tuple[str, str]]]


@pytest.mark.requirement("SRS-006")
def test_low_saturation_raises_a_medium_alarm(send: Send, active_alarms: Alarms) -> None:
    send(spo2=90)
    assert active_alarms() == []
    send(spo2=89, device="OX-000124")
    assert active_alarms() == [("spo2-low", "medium")]


@pytest.mark.requirement("SRS-007")
def test_critical_saturation_raises_a_high_alarm(send: Send, active_alarms: Alarms) -> None:
    send(spo2=85)
    assert active_alarms() == [("spo2-low", "medium")]
    send(spo2=84, device="OX-000124")
    assert active_alarms() == [("spo2-critical", "high"), ("spo2-low", "medium")]


@pytest.mark.requirement("SRS-008")
@pytest.mark.parametrize(("quiet", "loud", "kind"), [(50, 49, "pulse-low"), (120, 121, "pulse-high")])
def test_pulse_beyond_a_limit_raises_a_medium_alarm(
    send: Send, active_alarms: Alarms, quiet: int, loud: int, kind: str
) -> None:
    send(pulse=quiet)
    assert active_alarms() == []
    send(pulse=loud, device="OX-000124")
    assert active_alarms() == [(kind, "medium")]


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
def test_an_alarm_stays_active_after_the_value_recovered(send: Send, active_alarms: Alarms) -> None:
    send(spo2=80)
    send(spo2=99, device="OX-000124")
    send(spo2=80, device="OX-000125")
    assert active_alarms() == [("spo2-critical", "high")]


@pytest.mark.requirement("SRS-010")
def test_patients_have_their_own_alarms(send: Send, active_alarms: Alarms) -> None:
    send(spo2=80)
    send(spo2=80, patient="p-43", device="OX-000124")
    assert len(active_alarms()) == 2


@pytest.mark.requirement("SRS-010")
def test_a_named_person_acknowledges(send: Send, client: FlaskClient, active_alarms: Alarms) -> None:
    send(spo2=80)
    (alarm,) = client.get("/alarms").get_json()["alarms"]
    path = f"/alarms/{alarm['id']}/acknowledgement"
    assert client.post(path).status_code == 400
    assert active_alarms()
    assert client.post(path, headers={"X-User": "n.meier"}).status_code == 204
    assert active_alarms() == []
    assert client.post(path, headers={"X-User": "n.meier"}).status_code == 404
    send(spo2=80, device="OX-000124")
    assert active_alarms() == [("spo2-critical", "high")]
