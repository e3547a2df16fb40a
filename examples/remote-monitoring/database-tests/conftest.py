"""What the tests share: entering the database."""

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
