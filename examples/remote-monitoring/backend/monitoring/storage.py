"""The Observations in PostgreSQL. A connection per request: none is left in an unknown state by a failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

from monitoring import migrating
from monitoring.observation import Observation
from monitoring.settings import Settings

_TIMEOUT = 3  # seconds that the database may take for an answer
_COLUMNS = "id, patient, device, code, value, taken_text, received"


class Unavailable(Exception):
    """The database does not answer, or refuses; nothing was stored."""


class Storage:
    """The database that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def prepare(self) -> list[int]:
        """Bring the schema up to date; return what was applied. Raises Unavailable."""
        with self._connected() as connection:
            return migrating.migrate(connection)

    def check(self) -> None:
        """Ask the database for its schema. Raises Unavailable when it is not the one we work with."""
        with self._connected() as connection:
            if migrating.version(connection) < migrating.newest():
                raise Unavailable("the schema is older than this program")

    def store(self, seen: Observation) -> tuple[str, bool]:
        """Store an Observation; return its id and whether it is new. Raises Unavailable."""
        values = {
            "patient": seen.patient,
            "device": seen.device,
            "code": seen.code,
            "value": seen.value,
            "taken": seen.taken,
            "taken_text": seen.taken_text,
        }
        with self._connected() as connection:
            made = connection.run(
                "INSERT INTO observation (patient, device, code, value, taken, taken_text) "
                "VALUES (:patient, :device, :code, :value, :taken, :taken_text) "
                "ON CONFLICT (device, code, taken) DO NOTHING RETURNING id",
                **values,
            )
            if made:
                return str(made[0][0]), True
            known = connection.run(
                "SELECT id FROM observation WHERE device = :device AND code = :code AND taken = :taken",
                **{name: values[name] for name in ("device", "code", "taken")},
            )
            return str(known[0][0]), False

    def one(self, identifier: str) -> list[Any] | None:
        """Return a row by its id, or None. Raises Unavailable."""
        with self._connected() as connection:
            rows = connection.run(
                f"SELECT {_COLUMNS} FROM observation WHERE id::text = :id", id=identifier
            )
        return rows[0] if rows else None

    def of(self, patient: str, code: str | None, count: int) -> tuple[int, list[list[Any]]]:
        """Return how many rows of a patient match, and the newest of them. Raises Unavailable."""
        matching = "FROM observation WHERE patient = :patient AND (:code::text IS NULL OR code = :code)"
        with self._connected() as connection:
            total = connection.run(f"SELECT count(*) {matching}", patient=patient, code=code)[0][0]
            rows = connection.run(
                f"SELECT {_COLUMNS} {matching} ORDER BY taken DESC, id LIMIT :count",
                patient=patient,
                code=code,
                count=count,
            )
        return int(total), list(rows)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            connection = Connection(
                "monitoring",
                host=self._settings.host,
                port=self._settings.port,
                database="monitoring",
                password=self._settings.password,
                timeout=_TIMEOUT,
            )
        except (InterfaceError, DatabaseError, OSError) as error:
            raise Unavailable(f"no connection ({type(error).__name__})") from error
        try:
            yield connection
        except (InterfaceError, DatabaseError, OSError) as error:
            # Its text may hold the values of the row: only the kind is told.
            raise Unavailable(f"no answer ({type(error).__name__})") from error
        finally:
            try:
                connection.close()
            except (InterfaceError, OSError):
                pass
