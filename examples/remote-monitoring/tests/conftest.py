"""Shared fixtures: the service on the real database that runs beside the tests."""

from __future__ import annotations

import http.client
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from monitoring.service import server
from monitoring.storage import Address, Storage

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class Client:
    """Talks to one running service over HTTP."""

    port: int

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, body)
        answer = connection.getresponse()
        found = answer.status, json.loads(answer.read())
        connection.close()
        return found

    def get(self, path: str) -> tuple[int, Any]:
        return self.ask("GET", path)

    def post(self, resource: object) -> tuple[int, Any]:
        return self.ask("POST", "/fhir/Observation", json.dumps(resource).encode())


@contextmanager
def serving(storage: Storage) -> Iterator[Client]:
    """Run the service on a port of its own."""
    with server(storage, lambda: NOW, port=0) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield Client(running.server_address[1])
        running.shutdown()


@pytest.fixture
def storage() -> Storage:
    found = Storage(Address.read(os.environ))
    found.migrate()
    return found


@pytest.fixture
def client(storage: Storage) -> Iterator[Client]:
    with serving(storage) as found:
        yield found


@pytest.fixture
def patient() -> str:
    """A patient whom no other test knows: the database outlives the tests."""
    return f"p-{uuid.uuid4()}"


@pytest.fixture
def reading(patient: str) -> Callable[..., dict[str, Any]]:
    """Make a good Observation; the test changes what it is about. None removes a key."""

    def made(**changed: Any) -> dict[str, Any]:
        good = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "59408-5"}]},
            "subject": {"reference": f"Patient/{patient}"},
            "effectiveDateTime": "2026-03-01T12:59:30+01:00",
            "valueQuantity": {"value": 97, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
            "device": {"identifier": {"value": "OX-000123"}},
        }
        return {key: value for key, value in {**good, **changed}.items() if value is not None}

    return made
