"""Observations and alarms in one SQLite file on the device's volume."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from oximeter.limits import Alarm, Judgement
from oximeter.reading import Reading

# Replicas share the file, so: the rollback journal (write-ahead logging needs shared memory), short
# transactions, and rules that are indexes. One open alarm per patient and kind is the latch.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS observation (
    id TEXT PRIMARY KEY, device TEXT NOT NULL, patient TEXT NOT NULL, code TEXT NOT NULL,
    value INTEGER NOT NULL, interpretation TEXT NOT NULL, taken TEXT NOT NULL, received TEXT NOT NULL,
    UNIQUE (device, taken, code)) STRICT;
CREATE INDEX IF NOT EXISTS of_patient ON observation (patient, taken);
CREATE TABLE IF NOT EXISTS alarm (
    id TEXT PRIMARY KEY, patient TEXT NOT NULL, kind TEXT NOT NULL, priority TEXT NOT NULL,
    observation TEXT NOT NULL REFERENCES observation, raised TEXT NOT NULL,
    acknowledged TEXT, acknowledged_by TEXT) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS open_alarm ON alarm (patient, kind) WHERE acknowledged IS NULL;
"""


class Conflict(ValueError):
    """The device already sent another reading for that very moment."""


@dataclass(frozen=True)
class Observation:
    """One stored value. `code` is spo2 or pulse; times are RFC 3339 in UTC."""

    id: str
    device: str
    patient: str
    code: str
    value: int
    interpretation: str
    taken: str
    received: str


@dataclass(frozen=True)
class OpenAlarm:
    """An alarm that is not acknowledged yet."""

    id: str
    patient: str
    kind: str
    priority: str
    observation: str
    raised: str


class Storage:
    """Every method is one transaction; what it wrote is on the disk when it returns."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "readings.sqlite3"
        with self._transaction("IMMEDIATE") as db:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)

    def add(self, reading: Reading, judged: Judgement, now: datetime) -> tuple[list[str], bool]:
        """Store a reading and raise its alarms.

        Return the ids of its two observations, and False when this same reading was stored before
        (devices send again when an answer got lost). Raise Conflict when it differs from that one.
        """
        rows = _observations(reading, judged, now)
        with self._transaction("IMMEDIATE") as db:
            found = db.execute(
                "SELECT * FROM observation WHERE device = ? AND taken = ? ORDER BY code DESC",
                (reading.device, instant(reading.taken)),
            )
            if before := [Observation(*row) for row in found]:
                if [_said(row) for row in before] != [_said(row) for row in rows]:
                    raise Conflict("this device already sent another reading for this time")
                return [row.id for row in before], False
            db.executemany(
                "INSERT INTO observation VALUES"
                " (:id, :device, :patient, :code, :value, :interpretation, :taken, :received)",
                [asdict(row) for row in rows],
            )
            causes = {row.code: row for row in rows}
            for alarm in judged.alarms:
                _raise(db, alarm, causes[alarm.code])
        return [row.id for row in rows], True

    def observation(self, key: str) -> Observation | None:
        with self._transaction() as db:
            row = db.execute("SELECT * FROM observation WHERE id = ?", (key,)).fetchone()
        return Observation(*row) if row else None

    def search(
        self, patient: str, codes: Sequence[str], count: int, offset: int
    ) -> tuple[int, list[Observation]]:
        """Return how many observations match, and one page of them, newest first."""
        where = f"FROM observation WHERE patient = ? AND code IN ({', '.join('?' * len(codes))})"
        with self._transaction() as db:
            (total,) = db.execute(f"SELECT count(*) {where}", (patient, *codes)).fetchone()
            rows = db.execute(
                f"SELECT * {where} ORDER BY taken DESC, id LIMIT ? OFFSET ?",
                (patient, *codes, count, offset),
            ).fetchall()
        return total, [Observation(*row) for row in rows]

    def latest(self, patients: int) -> list[Observation]:
        """List the values of each patient's latest reading, of the patients heard of last."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT o.* FROM observation o JOIN (SELECT patient, max(taken) AS taken FROM observation"
                " GROUP BY patient ORDER BY 2 DESC, 1 LIMIT ?) USING (patient, taken)"
                " ORDER BY o.taken DESC, o.patient, o.device, o.code DESC",
                (patients,),
            ).fetchall()
        return [Observation(*row) for row in rows]

    def open_alarms(self) -> list[OpenAlarm]:
        """List the active alarms, most urgent first, then oldest first."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT id, patient, kind, priority, observation, raised FROM alarm"
                " WHERE acknowledged IS NULL ORDER BY priority, raised"
            ).fetchall()
        return [OpenAlarm(*row) for row in rows]

    def acknowledge(self, key: str, by: str, now: datetime) -> bool:
        """Close an open alarm; False when there is no such open alarm."""
        with self._transaction() as db:
            done = db.execute(
                "UPDATE alarm SET acknowledged = ?, acknowledged_by = ?"
                " WHERE id = ? AND acknowledged IS NULL",
                (instant(now), by, key),
            )
        return done.rowcount == 1

    @contextmanager
    def _transaction(self, kind: str = "DEFERRED") -> Iterator[sqlite3.Connection]:
        # IMMEDIATE for what reads and then writes: no other transaction may write in between.
        # A connection per transaction is cheap, shares nothing between threads, and notices a lost volume.
        db = sqlite3.connect(self._file, timeout=5, isolation_level=None)
        try:
            db.execute("PRAGMA synchronous = EXTRA")
            db.execute("PRAGMA temp_store = MEMORY")
            db.execute(f"BEGIN {kind}")
            yield db
            db.execute("COMMIT")
        finally:
            db.close()  # rolls back what was not committed


def instant(time: datetime) -> str:
    """Write a time as RFC 3339 in UTC with milliseconds: sortable as text, valid as FHIR instant."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _observations(reading: Reading, judged: Judgement, now: datetime) -> list[Observation]:
    key = uuid4()
    values = {"spo2": (reading.spo2, judged.spo2), "pulse": (reading.pulse, judged.pulse)}
    return [
        Observation(
            id=f"{key}-{code}",
            device=reading.device,
            patient=reading.patient,
            code=code,
            value=value,
            interpretation=interpretation,
            taken=instant(reading.taken),
            received=instant(now),
        )
        for code, (value, interpretation) in values.items()
    ]


def _said(row: Observation) -> tuple[str, str, int]:
    return row.patient, row.code, row.value


def _raise(db: sqlite3.Connection, alarm: Alarm, cause: Observation) -> None:
    db.execute(
        "INSERT INTO alarm (id, patient, kind, priority, observation, raised) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (patient, kind) WHERE acknowledged IS NULL DO NOTHING",
        (str(uuid4()), cause.patient, alarm.kind, alarm.priority, cause.id, cause.received),
    )
