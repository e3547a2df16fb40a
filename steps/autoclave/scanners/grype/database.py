"""Grype's advisory database (schema 6, SQLite): whether a scan can rely on it, and what it can judge.

Tables as in grype/db/v6/models.go of the tested version. The file is read, never written: without locks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from autoclave.errors import DatabaseError
from autoclave.model.facts import Database
from autoclave.scanners import files
from autoclave.scanners.files import FileState

SCHEMA = 6
"""The model of the database that this version of Grype reads: its folder's name, too."""

_LONGEST = 100_000_000  # steps of SQLite for all questions: the full database needs a tenth of it
_STEP = 1_000_000
# Providers of the full database with fewer vulnerabilities than it has of each by far. All are required.
_LEAST = {
    "alpine": 1_000, "debian": 10_000, "github": 10_000, "nvd": 100_000, "rhel": 5_000, "ubuntu": 10_000,
}  # fmt: skip
_LATE = timedelta(days=7)
"""How much older than the database its newest advisory, or a provider's data, may be."""
_NEXT = "'autoclave database update --scanner grype' fetches one; 'autoclave doctor' says more"


class System(Struct, frozen=True, kw_only=True):
    """A release of an operating system as Grype looks it up: name, version and codename of its os-release."""

    name: str
    version: str = ""
    codename: str = ""


class Advisories(Struct, frozen=True, kw_only=True):
    """A database in use, what it has for the system of an image, and for which kinds of packages it has any.

    `ended` is when the system's release reaches its end of life, None when that is not known.
    """

    database: Database
    system: str = ""
    ended: datetime | None = None
    ecosystems: frozenset[str] = frozenset()


def path(cache: Path) -> Path:
    """Return the database file of a cache folder."""
    return cache / str(SCHEMA) / "vulnerability.db"


def examine(cache: Path) -> Database:
    """Return time, digest and completeness of the database; raise DatabaseError when it cannot be used."""
    file = path(cache)
    if not file.is_file():
        raise refuse(cache, "is missing", f"there is no file {file}")
    if not (file.parent / "import.json").is_file():
        raise refuse(cache, "has no usable metadata", f"{file.parent} has no import.json with its digest")
    return _examine(cache, _state_of(cache))


@lru_cache(maxsize=4)
def _examine(cache: Path, file: FileState) -> Database:
    with _open(cache) as database:
        built = _read_time(cache, database)
        counts = dict(
            database.execute("SELECT provider_id, COUNT(*) FROM vulnerability_handles GROUP BY provider_id")
        )
        if not database.execute("SELECT 1 FROM affected_package_handles LIMIT 1").fetchone():
            raise refuse(cache, "is empty", "it lists no affected package, so every image would look clean")
        lacks = find_lack(counts, list(_late_data(database, built)))
        return Database(
            updated=built,
            digest=files.digest_file(file),
            size=file.size,
            complete=not lacks,
            lacks=lacks,
        )


def find_lack(counts: Mapping[str, int], late: list[str]) -> str:
    """Return what a full database has and this one has not, by its counts and dates; or an empty string."""
    few = [name for name, least in _LEAST.items() if counts.get(name, 0) < least]
    if few:
        return (
            f"it describes {sum(counts.values()):,} vulnerabilities, and has hardly any of {', '.join(few)}"
        )
    return "; ".join(late)


def find_advisories(cache: Path, database: Database, system: System) -> Advisories:
    """Return what the database has for an image: for its system, and for which kinds of packages."""
    ecosystems = _list_ecosystems(cache, _state_of(cache))
    with _open(cache) as opened:
        found, ended = _find_system(opened, system)
    return Advisories(database=database, system=found, ended=ended, ecosystems=ecosystems)


@lru_cache(maxsize=4)
def _list_ecosystems(cache: Path, file: FileState) -> frozenset[str]:
    with _open(cache) as opened:
        kinds = opened.execute(
            "SELECT DISTINCT p.ecosystem FROM packages p "
            "JOIN affected_package_handles a ON a.package_id = p.id WHERE a.operating_system_id IS NULL"
        )
        return frozenset(str(kind).lower() for (kind,) in kinds)


def refuse(cache: Path, what: str, why: str) -> DatabaseError:
    """Return the error for a database that cannot be used."""
    return DatabaseError(f"Grype's database {what}", why=why, next=_NEXT)


@contextmanager
def _open(cache: Path) -> Iterator[sqlite3.Connection]:
    """Open the database for reading; what is wrong with it is a DatabaseError, and no query runs for ever."""
    file = path(cache)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += _STEP
        return int(steps > _LONGEST)

    try:
        uri = f"file:{quote(str(file.absolute()))}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as opened:
            opened.set_progress_handler(count, _STEP)
            opened.execute("PRAGMA trusted_schema = OFF")
            yield opened
    except (sqlite3.Error, ValueError, OverflowError) as error:
        raise refuse(cache, "is damaged", f"{file}: {error}") from error
    except OSError as error:
        raise refuse(cache, "cannot be read", str(error)) from error


def _read_time(cache: Path, database: sqlite3.Connection) -> datetime:
    row = database.execute("SELECT build_timestamp, model FROM db_metadata").fetchone()
    built = _time(row[0]) if row else None
    if built is None:
        raise refuse(cache, "has no usable metadata", "its table db_metadata has no time of its build")
    if row[1] != SCHEMA:
        raise refuse(cache, "has another schema", f"schema {row[1]}, required is {SCHEMA}")
    return built


def _late_data(database: sqlite3.Connection, built: datetime) -> Iterator[str]:
    """Yield what in the database is much older, or newer, than the time that it states for itself."""
    for name, captured in database.execute("SELECT id, date_captured FROM providers ORDER BY id"):
        at = _time(captured)
        if name in _LEAST and (at is None or built - at > _LATE):
            dated = f"{at:%Y-%m-%d}" if at else "an unknown day"
            yield f"it was built on {built:%Y-%m-%d} with data of {name} of {dated}"
    times = database.execute(
        "SELECT MAX(published_date), MAX(modified_date) FROM vulnerability_handles"
    ).fetchone()
    newest = max((at for at in map(_time, times) if at), default=None)
    if newest is None:
        yield "its advisories have no dates"
    elif abs(built - newest) > _LATE:
        yield f"its newest advisory is of {newest:%Y-%m-%d}, and it states {built:%Y-%m-%d} for itself"


def _find_system(database: sqlite3.Connection, system: System) -> tuple[str, datetime | None]:
    """Return the release whose advisories Grype uses for a system, and its end of life; "" without any.

    As `GetOperatingSystems` in grype/db/v6/operating_system_store.go looks it up: another name by the table
    of overrides, then the codename, and the most exact version that has a row. Grype itself looks for the end
    of life of `debian 9.13` under exactly that version, where no database has it.
    """
    name, rolling = _resolve_alias(database, system)
    major, _, minor = system.version.partition(".")
    major, minor = (part.lstrip("0") or part[:1] for part in (major, minor.partition(".")[0]))
    codename = system.codename.lower()
    if not (rolling or major or codename):
        return "", None  # Grype would take the advisories of every release
    rows = [
        (row_id, row_major, row_minor, end)
        for row_id, row_major, row_minor, end, row_codename, label in database.execute(
            "SELECT id, major_version, minor_version, eol_date, codename, label_version "
            "FROM operating_systems "
            "WHERE (name = ? COLLATE NOCASE OR release_id = ? COLLATE NOCASE) "
            "AND COALESCE(channel, '') = ''",
            (name, name),
        )
        if not codename or codename in ((row_codename or "").lower(), (label or "").lower())
    ]
    if not rolling and major:
        for wanted in ((major, minor), (major, "")):
            exact = [row for row in rows if (row[1] or "", row[2] or "") == wanted]
            if exact:
                rows = exact
                break
        else:
            rows = [row for row in rows if row[1] == major]
    for row_id, row_major, row_minor, end in rows:
        found = database.execute(
            "SELECT 1 FROM affected_package_handles WHERE operating_system_id = ? LIMIT 1", (row_id,)
        ).fetchone()
        if found:
            version = ".".join(filter(None, (row_major, row_minor)))
            # Another system's advisories may be used; its end of life is not this one's.
            return f"{name} {version}".strip(), _time(end) if name == system.name else None
    return "", None


def _resolve_alias(database: sqlite3.Connection, system: System) -> tuple[str, bool]:
    """Return the name under which the database has a system, and whether it has no releases."""
    rows = database.execute(
        "SELECT replacement, rolling, version, version_pattern, codename "
        "FROM operating_system_specifier_overrides WHERE alias = ? COLLATE NOCASE",
        (system.name,),
    )
    for replacement, rolling, version, pattern, codename in rows:
        # Overrides of single versions (edge, sid) need the codename or the version itself.
        if codename and codename.lower() != system.codename.lower():
            continue
        if (version and version != system.version) or pattern:
            continue
        return str(replacement or system.name), bool(rolling)
    return system.name, False


def _time(value: Any) -> datetime | None:
    """Return a time as Grype's SQLite driver writes it; None for anything else."""
    try:
        at = datetime.fromisoformat(str(value).removesuffix(" UTC"))
    except ValueError:
        return None
    return at if at.tzinfo else None


def _state_of(cache: Path) -> FileState:
    try:
        return files.state_of(path(cache))
    except OSError as error:
        raise refuse(cache, "cannot be read", str(error)) from error
