"""What the tests share: a service on a scratch volume, and a fixed clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from oximeter.limits import Limits
from oximeter.service import create
from oximeter.storage import Storage
from werkzeug.test import TestResponse

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
READING = {
    "device": "OX-000123",
    "patient": "p-42",
    "taken": "2026-03-01T12:59:30+01:00",
    "spo2": 97,
    "pulse": 72,
}


@pytest.fixture
def restart(tmp_path: Path) -> Callable[[], FlaskClient]:
    """Start the service again on the same volume."""
    return lambda: create(Storage(tmp_path), Limits.read({}), lambda: NOW).test_client()


@pytest.fixture
def client(restart: Callable[[], FlaskClient]) -> FlaskClient:
    return restart()


@pytest.fixture
def send(client: FlaskClient) -> Callable[..., TestResponse]:
    """Post the good reading, changed as the test says; None removes a key."""

    def post(**changed: Any) -> TestResponse:
        body = {key: value for key, value in {**READING, **changed}.items() if value is not None}
        return client.post("/readings", json=body)

    return post


@pytest.fixture
def active_alarms(client: FlaskClient) -> Callable[[], list[tuple[str, str]]]:
    """List kind and priority of the active alarms."""

    def listed() -> list[tuple[str, str]]:
        return [(a["kind"], a["priority"]) for a in client.get("/alarms").get_json()["alarms"]]

    return listed
