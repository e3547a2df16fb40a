"""The page for staff: what it shows, and that it cannot pass for newer than it is."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from oximeter import page
from oximeter.storage import Observation, OpenAlarm
from werkzeug.test import TestResponse

Send = Callable[..., TestResponse]


@pytest.mark.requirement("SRS-015")
def test_an_empty_page_says_so(client: FlaskClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert "Active alarms: 0" in answer.text
    assert "No alarm is active." in answer.text
    assert "No reading has arrived yet." in answer.text


@pytest.mark.requirement("SRS-015")
def test_alarms_come_most_urgent_first(send: Send, client: FlaskClient) -> None:
    send(patient="p-1", pulse=150)
    send(patient="p-2", device="OX-000124", spo2=80)
    text = client.get("/").text
    assert "Active alarms: 2" in text
    assert 0 < text.index("spo2-critical") < text.index("pulse-high")
    assert text.index("patient p-2") < text.index("patient p-1")


@pytest.mark.requirement("SRS-015")
def test_an_acknowledged_alarm_is_not_shown(send: Send, client: FlaskClient) -> None:
    send(spo2=80)
    (alarm,) = client.get("/alarms").get_json()["alarms"]
    client.post(f"/alarms/{alarm['id']}/acknowledgement", headers={"X-User": "n.meier"})
    assert "spo2-critical" not in client.get("/").text


@pytest.mark.requirement("SRS-015")
@pytest.mark.parametrize(
    ("values", "shown", "mark"),
    [
        ((97, 72), ["97 %</b> normal", "72 /min</b> normal"], "normal"),
        ((89, 72), ["89 %</b> low", "72 /min</b> normal"], "low"),
        ((97, 121), ["97 %</b> normal", "121 /min</b> high"], "low"),
        ((80, 49), ["80 %</b> critical", "49 /min</b> low"], "critical"),
    ],
)
def test_values_are_shown_with_their_interpretation(
    send: Send, client: FlaskClient, values: tuple[int, int], shown: list[str], mark: str
) -> None:
    send(spo2=values[0], pulse=values[1])
    text = client.get("/").text
    assert [each for each in shown if each not in text] == []
    assert f'<li class="{mark}"><span>' in text


@pytest.mark.requirement("SRS-015")
def test_only_the_latest_values_of_a_patient_are_shown(send: Send, client: FlaskClient) -> None:
    send(taken="2026-03-01T11:00:00Z", spo2=96)
    send(taken="2026-03-01T10:00:00Z", spo2=95)  # delivered late
    send(taken="2026-03-01T09:00:00Z", patient="p-43", device="OX-000124", spo2=94)
    text = client.get("/").text
    assert "95 %" not in text
    assert 0 < text.index("96 %") < text.index("94 %")


@pytest.mark.requirement("SRS-016")
def test_the_page_states_its_time_and_renews_itself(client: FlaskClient) -> None:
    text = client.get("/").text
    assert "As of <time>2026-03-01T12:00:00.000Z</time>" in text
    assert '<meta http-equiv="refresh" content="5">' in text


@pytest.mark.requirement("SRS-016")
def test_the_page_loads_nothing_and_is_kept_in_no_cache(send: Send, client: FlaskClient) -> None:
    send(spo2=80)
    answer = client.get("/")
    assert re.findall(r"(?i)<script|\bsrc=|\bhref=|url\(|@import", answer.text) == []
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none';")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.requirement("SRS-016")
def test_what_is_stored_cannot_become_markup() -> None:
    """No patient's or device's name with markup is accepted; the page does not rely on it."""
    bad = "<script>alert('x')</script>\""
    alarm = OpenAlarm("1", bad, bad, bad, bad, bad)
    row = Observation("1", bad, bad, "spo2", 80, "LL", bad, bad)
    text = page.write(datetime(2026, 3, 1, tzinfo=UTC), [alarm], [row])
    assert "<script" not in text
    assert 'class="&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;"' in text


@pytest.mark.requirement("SRS-016")
def test_the_page_of_a_lost_volume_is_an_error(client: FlaskClient, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path)
    answer = client.get("/")
    assert answer.status_code == 500
    assert "No alarm" not in answer.text
