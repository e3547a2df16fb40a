"""What the tests share: entering the database, and a requirement for every test."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from pg8000.native import Connection


@pytest.fixture
def enter() -> Callable[..., Connection]:
    """Connect as the back end does, but for what the test changes."""
    usual: dict[str, Any] = {
        "user": "monitoring",
        "host": os.environ["DATABASE_HOST"],
        "database": "monitoring",
        "password": os.environ["DATABASE_PASSWORD"],
        "timeout": 5,
    }
    return lambda **changed: Connection(**(usual | changed))


@pytest.fixture(autouse=True)
def _requirement(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    """Write the requirement of each test into the JUnit report; a test without one is an error."""
    marks = list(request.node.iter_markers("requirement"))
    if not marks:
        pytest.fail("the test names no requirement")
    for mark in marks:
        record_property("requirement", mark.args[0])
