"""How the service is operated: health, logs, and a database that stops."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

import pytest
from monitoring.storage import Address, Storage

from conftest import Client, serving


@pytest.mark.requirement("RM-009")
def test_the_service_is_healthy_with_its_database(client: Client) -> None:
    assert client.get("/health") == (200, {"status": "ok"})


@pytest.mark.requirement("RM-009")
@pytest.mark.parametrize(
    ("host", "port", "password"),
    [("127.0.0.1", 1, ""), (os.environ["DATABASE_HOST"], 5432, "of-somebody-else")],
    ids=["nobody listens", "wrong password"],
)
def test_without_its_database_it_says_so(
    host: str, port: int, password: str, reading: Callable[..., dict[str, Any]]
) -> None:
    with serving(Storage(Address(host, port, password))) as alone:
        assert alone.get("/health")[0] == 503
        assert alone.post(reading())[0] == 503


@pytest.mark.requirement("RM-010")
def test_the_log_holds_no_patient_data(
    client: Client,
    reading: Callable[..., dict[str, Any]],
    patient: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with caplog.at_level(logging.DEBUG):
        client.post(reading())
        client.get(f"/fhir/Observation?patient={patient}")
        with serving(Storage(Address("127.0.0.1", 1, ""))) as alone:
            alone.get(f"/fhir/Observation?patient={patient}")
    printed = capsys.readouterr()
    printed_text = caplog.text + printed.out + printed.err
    assert "observation stored" in printed_text
    assert patient not in printed_text
    assert "OX-000123" not in printed_text
