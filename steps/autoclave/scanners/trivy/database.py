"""Trivy's advisory database: whether a scan can rely on it, and which one it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from autoclave.errors import DatabaseError
from autoclave.model.facts import Database
from autoclave.scanners import files
from autoclave.scanners.files import FileState
from autoclave.scanners.trivy import boltdb

SCHEMA = 2
"""The database schema that this version of Trivy reads."""

# Buckets that describe advisories or feeds; every other top-level bucket is one feed's advisories.
_INDEXES = {"data-source", "vulnerability", "advisory-detail", "trivy", "Red Hat CPE"}
# What the full database has, in far larger numbers: packages with advisories by the beginning of their feeds'
# names (all versions of a distribution together), and vulnerabilities. Each tells it from one that was
# built for a purpose; all are required.
_FEEDS = {
    "alpine ": "Alpine",
    "debian ": "Debian",
    "ubuntu ": "Ubuntu",
    "Red Hat": "Red Hat",
    "pip::": "pip",
    "npm::": "npm",
    "maven::": "Maven",
    "go::": "Go",
}
_LEAST_PACKAGES, _LEAST_VULNERABILITIES = 100, 50_000
_LATE = timedelta(days=7)
"""How far the newest advisory may be from the time that the metadata states."""
_MOST_READ = 200_000
_DATE = re.compile(rb'"(?:PublishedDate|LastModifiedDate)":"(\d{4}-\d{2}-\d{2})T')
_NEXT = "'autoclave database update' fetches one into {}; 'autoclave doctor' says more"


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
        state = files.state_of(file)
        buckets = _read_buckets(cache, state)
        if metadata is None:
            raise refuse(
                cache, "has no usable metadata", f"{file.parent / 'metadata.json'} has no version and time"
            )
        if metadata.version != SCHEMA:
            raise refuse(cache, "has another schema", f"schema {metadata.version}, required is {SCHEMA}")
        lacks = find_lack(buckets) or _find_discrepancy(cache, state, metadata.updated_at)
        return Database(
            updated=metadata.updated_at,
            digest=files.digest_file(state),
            size=state.size,
            complete=not lacks,
            lacks=lacks,
        )
    except OSError as error:
        raise refuse(cache, "cannot be read", str(error)) from error


def read_feeds(cache: Path) -> frozenset[str]:
    """Return the names of the feeds of which the database has an advisory. Raises DatabaseError."""
    try:
        buckets = _read_buckets(cache, files.state_of(path(cache)))
    except OSError as error:
        raise refuse(cache, "cannot be read", str(error)) from error
    return frozenset(name for name, count in buckets.items() if count and name not in _INDEXES)


def refuse(cache: Path, what: str, why: str) -> DatabaseError:
    """Return the error for a database that cannot be used."""
    return DatabaseError(f"Trivy's database {what}", why=why, next=_NEXT.format(cache))


def decode(raw: bytes | msgspec.Raw) -> Metadata | None:
    """Decode the database's part of `trivy version`; None when it lacks a version or a time."""
    try:
        return msgspec.json.decode(raw, type=Metadata)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def find_lack(buckets: Mapping[str, int]) -> str:
    """Return what a full database has and this one, by the sizes of its buckets, has not; or an empty string.

    Its size in bytes says nothing: zeros behind it make any file large.
    """
    packages = {
        title: sum(
            count for name, count in buckets.items() if name.startswith(start) and name not in _INDEXES
        )
        for start, title in _FEEDS.items()
    }
    few = [title for title, count in packages.items() if count < _LEAST_PACKAGES]
    vulnerabilities = buckets.get("vulnerability", 0)
    if not few and vulnerabilities >= _LEAST_VULNERABILITIES:
        return ""
    known = f"it describes {vulnerabilities:,} vulnerabilities"
    return f"{known}, and has hardly any advisory of {', '.join(few)}" if few else known


def _find_discrepancy(cache: Path, file: FileState, updated: datetime) -> str:
    """Return in what the dates of the newest advisories contradict the time that the metadata states."""
    # Named by their year: in January, those of December are the newest.
    years = range((updated - _LATE).year, updated.year + 1)
    try:
        newest = _find_newest(file, years)
    except boltdb.DamagedFile as error:
        raise refuse(cache, "is damaged", f"{file.path}: {error}") from error
    stated = f"{updated:%Y-%m-%d}"
    if newest is None:
        return f"it has no advisory with a date of {updated.year}, and its metadata states {stated}"
    if not -_LATE < newest - updated.date() < _LATE:
        return f"its newest advisory is of {newest}, and its metadata states {stated}"
    return ""


@lru_cache(maxsize=4)
def _find_newest(file: FileState, years: range) -> date | None:
    """Return the newest day in the vulnerabilities that are named by some years. Raises DamagedFile."""
    found = {
        text
        for year in years
        for value in boltdb.read_values(
            file.path, "vulnerability", f"CVE-{year}-", f"CVE-{year}.", most=_MOST_READ
        )
        for text in _DATE.findall(value)
    }
    return max((day for day in map(_parse_day, found) if day), default=None)


def _parse_day(text: bytes) -> date | None:
    try:
        return date.fromisoformat(text.decode("ascii"))
    except ValueError:
        return None


def _read_buckets(cache: Path, file: FileState) -> Mapping[str, int]:
    try:
        buckets = _count(file)
    except boltdb.DamagedFile as error:
        raise refuse(cache, "is damaged", f"{file.path}: {error}") from error
    if not any(count for name, count in buckets.items() if name not in _INDEXES):
        raise refuse(cache, "is empty", "it lists no advisory of any feed, so every image would look clean")
    return buckets


@lru_cache(maxsize=4)
def _count(file: FileState) -> Mapping[str, int]:
    """Return how many elements each bucket has. Raises DamagedFile."""
    return dict(boltdb.read_buckets(file.path, enough=_LEAST_VULNERABILITIES))
