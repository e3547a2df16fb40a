"""A database that would make every image look clean is refused before the scan."""

from __future__ import annotations

import gzip
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoclave.errors import DatabaseError
from autoclave.model.facts import Database
from autoclave.scanners.trivy import boltdb, database
from autoclave.scanners.trivy.database import Metadata

REAL = gzip.decompress((Path(__file__).parents[3] / "fixtures" / "reports" / "trivy.db.gz").read_bytes())
TIME = datetime(2026, 11, 24, 8, 4, tzinfo=UTC)
GOOD = Metadata(version=2, updated_at=TIME)


def cache(folder: Path, content: bytes) -> Path:
    file = database.path(folder)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    return folder


def test_time_digest_and_size_of_the_database_are_read(tmp_path: Path) -> None:
    digest = "sha256:" + hashlib.sha256(REAL).hexdigest()
    found = database.examine(cache(tmp_path, REAL), GOOD)
    assert found == Database(updated=TIME, digest=digest, size=len(REAL))


def test_the_feeds_of_a_real_database_are_seen(tmp_path: Path) -> None:
    file = database.path(cache(tmp_path, REAL))
    assert {"debian 12", "data-source", "vulnerability"} < {
        name for name, count in boltdb.read_buckets(file) if count
    }


BAD = {
    "no bytes": (b"", "empty"),
    "foreign": (b"SQLite format 3\0" * 400, "not a bolt file"),
    "shorter than its header": (REAL[:60], "not a bolt file"),
    "headers alone": (REAL[:8192], "cut off"),
    "cut off": (REAL[:20_000], "cut off"),
}


@pytest.mark.parametrize(("content", "why"), BAD.values(), ids=BAD)
def test_a_database_that_is_not_whole_is_refused(content: bytes, why: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError) as caught:
        database.examine(cache(tmp_path, content), GOOD)
    assert why in caught.value.why
    assert "--download-db-only" in caught.value.next


def test_a_whole_database_without_advisories_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        boltdb,
        "read_buckets",
        lambda path: iter([("data-source", 3), ("vulnerability", 9), ("debian 12", 0)]),
    )
    with pytest.raises(DatabaseError) as caught:
        database.examine(cache(tmp_path, REAL), GOOD)
    assert "empty" in caught.value.what


def test_no_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError) as caught:
        database.examine(tmp_path, GOOD)
    assert "missing" in caught.value.what


@pytest.mark.parametrize(("metadata", "what"), [(None, "metadata"), (Metadata(1, TIME), "another schema")])
def test_metadata_that_does_not_fit_is_refused(metadata: Metadata | None, what: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError) as caught:
        database.examine(cache(tmp_path, REAL), metadata)
    assert what in caught.value.what


@pytest.mark.parametrize(
    "raw", [b"", b"null", b"{}", b'{"Version":2}', b'{"Version":2,"UpdatedAt":"2026-11-24T08:04:54"}']
)
def test_metadata_without_version_and_time_is_invalid(raw: bytes) -> None:
    assert database.decode(raw) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(st.integers(0, len(REAL) - 1), st.binary(min_size=1, max_size=64))
def test_no_damage_makes_the_reader_itself_fail(tmp_path: Path, at: int, noise: bytes) -> None:
    file = database.path(cache(tmp_path, REAL[:at] + noise + REAL[at + len(noise) :]))
    try:
        list(boltdb.read_buckets(file))
    except boltdb.DamagedFile as error:
        assert str(error)
