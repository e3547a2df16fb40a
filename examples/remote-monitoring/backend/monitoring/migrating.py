"""Bring the database's schema up to date: each file in `migrations/` once, in order of its number."""

from __future__ import annotations

from pathlib import Path

from pg8000.native import Connection

_FOLDER = Path(__file__).with_name("migrations")
_LOCK = 738_201  # of our own choice; held by the replica that migrates


def newest() -> int:
    """Return the version of the schema that this program works with."""
    return max(_numbered())


def version(connection: Connection) -> int:
    """Return the version of the database's schema; 0 before the first migration."""
    if connection.run("SELECT to_regclass('schema_version')")[0][0] is None:
        return 0
    return int(connection.run("SELECT coalesce(max(version), 0) FROM schema_version")[0][0])


def migrate(connection: Connection) -> list[int]:
    """Apply what is missing, all or nothing; return the numbers. Replicas that start together wait."""
    connection.run("BEGIN")
    try:
        connection.run("SELECT pg_advisory_xact_lock(:lock)", lock=_LOCK)
        connection.run(
            "CREATE TABLE IF NOT EXISTS schema_version "
            "(version integer PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())"
        )
        here = version(connection)
        missing = sorted(number for number in _numbered() if number > here)
        for number in missing:
            connection.run(_numbered()[number].read_text("utf-8"))
            connection.run("INSERT INTO schema_version (version) VALUES (:number)", number=number)
    except BaseException:
        connection.run("ROLLBACK")
        raise
    connection.run("COMMIT")
    return missing


def _numbered() -> dict[int, Path]:
    return {int(path.name.partition("_")[0]): path for path in _FOLDER.glob("[0-9]*.sql")}
