"""Grype's database: what is missing or contradictory in it is seen before the scan, by its content."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autoclave.errors import DatabaseError
from autoclave.model.facts import Database
from autoclave.scanners import files
from autoclave.scanners.grype import database
from autoclave.scanners.grype.database import System

# The tables and columns that are read, as grype/db/v6/models.go has them.
TABLES = """
CREATE TABLE db_metadata (build_timestamp TEXT, model INT, revision INT, addition INT);
CREATE TABLE providers (id TEXT, date_captured TEXT);
CREATE TABLE vulnerability_handles (id INTEGER PRIMARY KEY, provider_id TEXT, published_date TEXT,
    modified_date TEXT);
CREATE TABLE packages (id INTEGER PRIMARY KEY, ecosystem TEXT, name TEXT);
CREATE TABLE affected_package_handles (id INTEGER PRIMARY KEY, operating_system_id INT, package_id INT);
CREATE TABLE operating_systems (id INTEGER PRIMARY KEY, name TEXT, release_id TEXT, major_version TEXT,
    minor_version TEXT, label_version TEXT, codename TEXT, channel TEXT, eol_date TEXT);
CREATE TABLE operating_system_specifier_overrides (alias TEXT, version TEXT, version_pattern TEXT,
    codename TEXT, replacement TEXT, rolling INT);
INSERT INTO db_metadata VALUES ('2026-11-24 08:00:00.123456789+00:00', 6, 1, 9);
INSERT INTO providers VALUES ('debian', '2026-11-24 07:00:00+00:00');
INSERT INTO vulnerability_handles VALUES (1, 'debian', '2026-11-23 00:00:00+00:00', NULL);
INSERT INTO packages VALUES (1, 'deb', 'zlib'), (2, 'Python', 'jinja2'), (3, 'gem', 'unused');
INSERT INTO operating_systems VALUES
    (1, 'debian', 'debian', '12', '', '', 'bookworm', '', NULL),
    (2, 'debian', 'debian', '9', '', '', 'stretch', '', '2022-06-30 00:00:00+00:00'),
    (3, 'alpine', 'alpine', '3', '19', '', '', '', NULL),
    (4, 'rhel', 'rhel', '9', '', '', '', '', '2032-05-31 00:00:00+00:00'),
    (5, 'rhel', 'rhel', '9', '4', '', '', 'eus', NULL),
    (6, 'wolfi', 'wolfi', '', '', '', '', '', NULL),
    (7, 'debian', 'debian', '13', '', '', 'trixie', '', NULL);
INSERT INTO affected_package_handles VALUES (1, 1, 1), (2, NULL, 2), (3, 2, 1), (4, 3, 1),
    (5, 4, 1), (6, 5, 1), (7, 6, 1);
INSERT INTO operating_system_specifier_overrides VALUES ('centos', '', '', '', 'rhel', 0),
    ('wolfi', '', '', '', NULL, 1);
"""
USED = Database(updated=datetime(2026, 11, 24, tzinfo=UTC), digest="sha256:1")
FULL = {"alpine": 1_000, "debian": 10_000, "github": 10_000, "nvd": 100_000, "rhel": 5_000, "ubuntu": 10_000}


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Path]:
    """Return a cache folder with a small database, after some more statements."""

    def write(statements: str = "") -> Path:
        file = database.path(tmp_path)
        file.parent.mkdir(exist_ok=True)
        (file.parent / "import.json").write_text("{}")
        with closing(sqlite3.connect(file)) as opened:
            opened.executescript(TABLES + statements)
        return tmp_path

    return write


def test_time_size_and_what_is_missing_are_read(make: Callable[[str], Path]) -> None:
    found = database.examine(make(""))
    assert found.updated == datetime(2026, 11, 24, 8, 0, 0, 123456, tzinfo=UTC)
    assert found.complete is False
    assert found.lacks.startswith("it describes 1 vulnerabilities, and has hardly any of alpine")


def test_the_whole_file_is_read_once_for_each_state_of_it(
    make: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_TICK", 0)
    cache = make("")
    first = database.examine(cache)
    system = database.System(name="debian", version="12")
    kinds = database.find_advisories(cache, first, system).ecosystems
    asked: list[str] = []
    connect = sqlite3.connect

    def watch(*args: object, **more: object) -> sqlite3.Connection:
        opened = connect(*args, **more)  # type: ignore[call-overload]
        opened.set_trace_callback(asked.append)
        return opened  # type: ignore[no-any-return]

    monkeypatch.setattr(sqlite3, "connect", watch)
    assert database.examine(cache) == first
    assert asked == []
    assert database.find_advisories(cache, first, system).ecosystems == kinds
    assert not any("DISTINCT" in each for each in asked)


def fill(date: str = "2026-11-23 00:00:00+00:00", captured: str = "2026-11-24 07:00:00+00:00") -> str:
    """Return statements by which a database has as much as a full one, with these dates."""
    statements = ["DELETE FROM providers; DELETE FROM vulnerability_handles;"]
    for name, count in FULL.items():
        statements.append(f"INSERT INTO providers VALUES ('{name}', '{captured}');")
        rows = f"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT {count}) SELECT"
        columns = "vulnerability_handles (provider_id, published_date)"
        statements.append(f"INSERT INTO {columns} {rows} '{name}', {date!r} FROM r;")
    return "".join(statements)


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        (fill(), ""),
        (fill(date="2026-10-01 00:00:00+00:00"), "its newest advisory is of 2026-10-01"),
        (fill(date="2027-10-01 00:00:00+00:00"), "its newest advisory is of 2027-10-01"),
        (fill(date="some day"), "its advisories have no dates"),
        (fill(captured="2026-11-01 00:00:00+00:00"), "with data of alpine of 2026-11-01"),
        (fill(captured=""), "with data of alpine of an unknown day"),
    ],
)
def test_a_full_database_is_as_new_as_it_says(
    statements: str, says: str, make: Callable[[str], Path]
) -> None:
    found = database.examine(make(statements))
    assert found.complete is not bool(says)
    assert says in found.lacks


@pytest.mark.parametrize(
    ("system", "release"),
    [
        (System(name="debian", version="12.8"), "debian 12"),
        (System(name="debian", version="12", codename="bookworm"), "debian 12"),
        (System(name="Debian", version="012"), "debian 12"),
        (System(name="alpine", version="3.19.1"), "alpine 3.19"),
        (System(name="centos", version="9"), "rhel 9"),
        (System(name="rhel", version="9.4"), "rhel 9"),
        (System(name="wolfi", version="20230201"), "wolfi"),
        (System(name="debian", version="12", codename="sid"), ""),
        (System(name="debian", version="99.1"), ""),
        (System(name="debian"), ""),
        (System(name="debian", codename="forky"), ""),
        (System(name="debian", version="13"), ""),  # there, without an advisory
        (System(name="fedora", version="40"), ""),
        (System(name="' OR 1=1 --", version="12"), ""),
        (System(name=""), ""),
    ],
)
def test_a_release_is_judged_by_its_own_advisories_alone(
    system: System, release: str, make: Callable[[str], Path]
) -> None:
    found = database.find_advisories(make(""), USED, system).system
    assert found.lower() == release


def test_the_end_of_life_is_that_of_the_release_and_not_of_another_system(
    make: Callable[[str], Path],
) -> None:
    cache = make("")
    ended = {
        text: database.find_advisories(cache, USED, System(name=name, version=version)).ended
        for text, name, version in (("old", "debian", "9.13"), ("new", "debian", "12"), ("as", "centos", "9"))
    }
    assert ended == {"old": datetime(2022, 6, 30, tzinfo=UTC), "new": None, "as": None}


def test_only_kinds_of_packages_with_advisories_are_judged(make: Callable[[str], Path]) -> None:
    assert database.find_advisories(make(""), USED, System(name="x")).ecosystems == {"python"}


@pytest.mark.parametrize(
    ("statements", "what"),
    [
        ("UPDATE db_metadata SET build_timestamp = '2026-11-24 08:00:00'", "metadata"),
        ("UPDATE db_metadata SET build_timestamp = x'ff00'", "metadata"),
        ("DELETE FROM db_metadata", "metadata"),
        ("UPDATE db_metadata SET model = 7", "schema"),
        ("DELETE FROM affected_package_handles", "empty"),
        ("DROP TABLE providers", "damaged"),
        (
            "DROP TABLE vulnerability_handles; CREATE VIEW vulnerability_handles AS WITH RECURSIVE r(n) AS "
            "(SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT 'nvd' provider_id, NULL published_date FROM r",
            "damaged",
        ),
    ],
)
def test_a_database_that_cannot_be_used_is_refused(
    statements: str, what: str, make: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_LONGEST", 3_000_000)  # of what never ends
    with pytest.raises(DatabaseError) as caught:
        database.examine(make(statements))
    assert what in caught.value.what


def test_a_database_without_the_digest_of_its_import_is_refused(make: Callable[[str], Path]) -> None:
    cache = make("")
    (cache / "6" / "import.json").unlink()
    with pytest.raises(DatabaseError) as caught:
        database.examine(cache)
    assert "import.json" in caught.value.why
