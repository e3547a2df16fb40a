"""Observations in PostgreSQL, and the schema's migrations: numbered files, one statement each."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from uuid import UUID, uuid4

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

from monitoring.observation import Observation

_MOST_AT_ONCE = 8  # connections of one replica
_LOCK = 59408  # any number, the same in every replica: one at a time migrates
_COLUMNS = "device, patient, code, value, taken, id"

UNAVAILABLE = (DatabaseError, InterfaceError, OSError)


class Conflict(ValueError):
    """The device already sent another value for that very moment."""


@dataclass(frozen=True)
class Address:
    """Where the database is, and how to enter it."""

    host: str
    port: int
    password: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Address:
        """Take it from DATABASE_HOST, DATABASE_PORT and DATABASE_PASSWORD. Raise KeyError, ValueError."""
        port = int(environment.get("DATABASE_PORT", "5432"))
        return cls(environment["DATABASE_HOST"], port, environment["DATABASE_PASSWORD"])


class Storage:
    """The database, one connection for each request: a lost one spoils no other."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._places = threading.BoundedSemaphore(_MOST_AT_ONCE)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with self._places:
            connection = Connection(
                "monitoring",
                host=self._address.host,
                port=self._address.port,
                database="monitoring",
                password=self._address.password,
                timeout=3,
                application_name="remote-monitoring",
            )
            try:
                yield connection
            finally:
                connection.close()

    def migrate(self) -> list[str]:
        """Apply what has not been applied; return the names. All of it, or nothing."""
        with self._connected() as connection:
            connection.run("START TRANSACTION")
            connection.run("SELECT pg_advisory_xact_lock(:key)", key=_LOCK)
            connection.run(
                "CREATE TABLE IF NOT EXISTS migration"
                " (name text PRIMARY KEY, applied timestamptz DEFAULT now())"
            )
            applied = {name for (name,) in connection.run("SELECT name FROM migration") or []}
            new = [name for name in migrations() if name not in applied]
            for name in new:
                connection.run((files("monitoring") / "migrations" / name).read_text("utf-8"))
                connection.run("INSERT INTO migration (name) VALUES (:name)", name=name)
            connection.run("COMMIT")
        return new

    def check(self) -> None:
        """Raise one of UNAVAILABLE unless the database answers and has our schema."""
        with self._connected() as connection:
            connection.run("SELECT count(*) FROM observation WHERE false")

    def add(self, observation: Observation) -> tuple[str, bool]:
        """Store an Observation; return its id and whether it is new. Raise Conflict."""
        values = {
            "device": observation.device,
            "patient": observation.patient,
            "code": observation.code,
            "taken": observation.taken,
        }
        with self._connected() as connection:
            stored = connection.run(
                "INSERT INTO observation (id, device, patient, code, value, taken)"
                " VALUES (:id, :device, :patient, :code, :value, :taken) ON CONFLICT DO NOTHING RETURNING id",
                id=uuid4(),
                value=observation.value,
                **values,
            )
            if stored:
                return str(stored[0][0]), True
            ((known, value),) = connection.run(
                "SELECT id, value FROM observation WHERE device = :device AND patient = :patient"
                " AND code = :code AND taken = :taken",
                **values,
            ) or [("", None)]
        if value != observation.value:
            raise Conflict("the device sent another value for that moment")
        return str(known), False

    def get(self, key: UUID) -> Observation | None:
        """Return an Observation by id."""
        with self._connected() as connection:
            rows = connection.run(f"SELECT {_COLUMNS} FROM observation WHERE id = :key", key=key)
        return _observation(rows[0]) if rows else None

    def search(self, patient: str, codes: list[str], most: int) -> tuple[int, list[Observation]]:
        """Return how many Observations match, and the newest of them."""
        wanted = "FROM observation WHERE patient = :patient AND code = ANY(:codes)"
        with self._connected() as connection:
            connection.run("START TRANSACTION ISOLATION LEVEL REPEATABLE READ")  # both answers of one moment
            ((total,),) = connection.run(f"SELECT count(*) {wanted}", patient=patient, codes=codes) or [(0,)]
            rows = connection.run(
                f"SELECT {_COLUMNS} {wanted} ORDER BY taken DESC, id LIMIT :most",
                patient=patient,
                codes=codes,
                most=most,
            )
            connection.run("COMMIT")
        return total, [_observation(row) for row in rows or []]


def migrations() -> list[str]:
    """Return the names of the schema's migrations, in order."""
    folder = files("monitoring") / "migrations"
    return sorted(each.name for each in folder.iterdir() if each.name.endswith(".sql"))


def _observation(row: list) -> Observation:  # type: ignore[type-arg]
    *values, key = row
    return replace(Observation(*values), id=str(key))
