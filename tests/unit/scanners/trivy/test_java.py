"""Trivy's Java database: read as it is, and refused when it cannot be relied on."""

from __future__ import annotations

import runpy
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autoclave.errors import DatabaseError
from autoclave.scanners.trivy import java

ROOT = Path(__file__).parents[4]
THEN = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    build = runpy.run_path(str(ROOT / "setup" / "trivy" / "java_index.py"))["build"]
    build(ROOT / "setup" / "trivy" / "java.json", tmp_path, THEN)
    return tmp_path


def test_time_digest_and_what_it_lacks_are_read(cache: Path) -> None:
    found = java.examine(cache)
    assert found is not None
    assert (found.name, found.updated, found.complete) == ("java", THEN, False)
    assert found.lacks == "it lists 3 Java archives"
    assert found.size == java.path(cache).stat().st_size
    assert found.digest.startswith("sha256:")


def test_without_one_there_is_none(tmp_path: Path) -> None:
    assert java.examine(tmp_path) is None


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("trivy-java.db", b"", "cannot be read"),
        ("trivy-java.db", b"SQLite format 3\0" + b"\0" * 200, "cannot be read"),
        ("metadata.json", b"", "cannot be read"),
        ("metadata.json", b'{"Version": 1}', "cannot be read"),
        ("metadata.json", b'{"Version": 2, "UpdatedAt": "2026-11-24T00:00:00Z"}', "has another schema"),
    ],
)
def test_a_damaged_one_is_refused(file: str, content: bytes, says: str, cache: Path) -> None:
    (cache / "java-db" / file).write_bytes(content)
    with pytest.raises(DatabaseError) as caught:
        java.examine(cache)
    assert says in caught.value.what
    assert "autoclave database update" in caught.value.next


def test_an_empty_one_is_refused(cache: Path) -> None:
    with sqlite3.connect(java.path(cache)) as connection:
        connection.execute("DELETE FROM indices")
    connection.close()
    with pytest.raises(DatabaseError, match="is empty"):
        java.examine(cache)
