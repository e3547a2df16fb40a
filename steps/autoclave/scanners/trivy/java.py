"""Trivy's Java database: an index by which archives are recognised that do not say what they are.

Form: trivy-java-db, pkg/db/db.go and metadata.go (SQLite, schema 1). Trivy opens it when an image has an
archive, and fails without it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import Meta, Struct

from autoclave.errors import DatabaseError
from autoclave.model.facts import Database
from autoclave.scanners import files
from autoclave.scanners.files import FileState

NAME = "java"
_SCHEMA = 1
_LEAST_ARCHIVES = 1_000_000  # a fraction of those of Maven Central
_NEXT = "'autoclave database update' fetches it into {}"


class _Metadata(Struct, rename="pascal"):
    version: int
    updated_at: Annotated[datetime, Meta(tz=True)]


def path(cache: Path) -> Path:
    """Return the file of a cache folder."""
    return cache / "java-db" / "trivy-java.db"


def examine(cache: Path) -> Database | None:
    """Return time, digest and size of the Java database, None without one.

    Raises DatabaseError when it is there and cannot be used.
    """
    file = path(cache)
    try:
        if not file.is_file():
            return None
        state = files.state_of(file)
        metadata = msgspec.json.decode((file.parent / "metadata.json").read_bytes(), type=_Metadata)
        archives, digest = _count(state), files.digest_file(state)
    except (OSError, ValueError, sqlite3.Error) as error:
        raise refuse(cache, "cannot be read", str(error)) from error
    if metadata.version != _SCHEMA:
        raise refuse(cache, "has another schema", f"schema {metadata.version}, required is {_SCHEMA}")
    if not archives:
        raise refuse(cache, "is empty", "it lists no archive, so none would be recognised")
    is_complete = archives >= _LEAST_ARCHIVES
    return Database(
        name=NAME,
        updated=metadata.updated_at,
        digest=digest,
        size=state.size,
        complete=is_complete,
        lacks="" if is_complete else f"it lists {archives:,} Java archives",
    )


def refuse(cache: Path, what: str, why: str) -> DatabaseError:
    """Return the error for a Java database that cannot be used."""
    return DatabaseError(f"Trivy's Java database {what}", why=why, next=_NEXT.format(cache))


@lru_cache(maxsize=4)
def _count(file: FileState) -> int:
    """Return about how many archives it lists."""
    address = f"file:{quote(str(file.path))}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        (last,) = connection.execute("SELECT max(rowid) FROM indices").fetchone()
    return last or 0
