"""Where the database is, from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class MissingSetting(ValueError):
    """A setting without which the service must not start."""


@dataclass(frozen=True)
class Settings:
    """The database's address, and the role's password, which is never shown."""

    host: str
    port: int
    password: str = field(repr=False)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings. Raises MissingSetting, naming the variable."""
        for name in ("DATABASE_HOST", "DATABASE_PASSWORD"):
            if not environment.get(name):
                raise MissingSetting(f"{name} is not set")
        port = environment.get("DATABASE_PORT", "5432")
        if not port.isdecimal():
            raise MissingSetting("DATABASE_PORT is not a number")
        return cls(environment["DATABASE_HOST"], int(port), environment["DATABASE_PASSWORD"])
