"""A moment in data that is read from outside."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

Moment = Annotated[datetime, Meta(tz=True)]
"""A time with a zone: without one it could not be compared with now."""
