"""Trivy's advisory database: whether a scan can rely on it, and which one it is."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from autoclave.errors import DatabaseError
from autoclave.model.facts import Database
from autoclave.scanners.trivy import boltdb

SCHEMA = 2
"""The database schema that this version of Trivy reads."""

_CHUNK = 1024 * 1024
# Buckets that describe advisories or feeds; every other top-level bucket is one feed's advisories.
_INDEXES = {"data-source", "vulnerability", "advisory-detail", "trivy", "Red Hat CPE"}
_NEXT = "'trivy image --download-db-only --cache-dir {}' fetches one; 'autoclave doctor' says more"


class Metadata(Struct, frozen=True, rename="pascal"):
    """What Trivy says about its database; `updated_at` is the time of the advisories."""

    version: int
    updated_at: Annotated[datetime, Meta(tz=True)]


def path(cache: Path) -> Path:
    """Return the database file of a cache folder."""
    return cache / "db" / "trivy.db"


def examine(cache: Path, metadata: Metadata | None) -> Database:
    """Return time, digest and size of the database; raise DatabaseError when it cannot be used.

    `metadata` is what Trivy printed about it, None when it printed nothing.
    """
    file = path(cache)
    try:
        if not file.is_file():
            raise refuse(cache, "is missing", f"there is no file {file}")
        _require_advisories(cache, file)
        if metadata is None:
            raise refuse(
                cache, "has no usable metadata", f"{file.parent / 'metadata.json'} has no version and time"
            )
        if metadata.version != SCHEMA:
            raise refuse(cache, "has another schema", f"schema {metadata.version}, required is {SCHEMA}")
        return Database(updated=metadata.updated_at, digest=_digest(file), size=file.stat().st_size)
    except OSError as error:
        raise refuse(cache, "cannot be read", str(error)) from error


def refuse(cache: Path, what: str, why: str) -> DatabaseError:
    """Return the error for a database that cannot be used."""
    return DatabaseError(f"Trivy's database {what}", why=why, next=_NEXT.format(cache))


def decode(raw: bytes | msgspec.Raw) -> Metadata | None:
    """Decode the database's part of `trivy version`; None when it lacks a version or a time."""
    try:
        return msgspec.json.decode(raw, type=Metadata)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _require_advisories(cache: Path, file: Path) -> None:
    try:
        feeds = (count for name, count in boltdb.read_buckets(file) if name not in _INDEXES)
        if not any(feeds):
            raise refuse(
                cache, "is empty", "it lists no advisory of any feed, so every image would look clean"
            )
    except boltdb.DamagedFile as error:
        raise refuse(cache, "is damaged", f"{file}: {error}") from error


def _digest(file: Path) -> str:
    total = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            total.update(chunk)
    return f"sha256:{total.hexdigest()}"
