"""A database that would make every image look clean is refused before the scan."""

from __future__ import annotations

import gzip
import hashlib
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoclave.errors import DatabaseError
from autoclave.model.digest import digest_of
from autoclave.scanners import files
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
    assert (found.updated, found.digest, found.size) == (TIME, digest, len(REAL))


def test_the_feeds_of_a_real_database_are_seen(tmp_path: Path) -> None:
    file = database.path(cache(tmp_path, REAL))
    assert {"debian 12", "data-source", "vulnerability"} < {
        name for name, count in boltdb.read_buckets(file) if count
    }


def test_the_whole_file_is_read_once_for_each_state_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    for name in ("read_buckets", "read_values"):
        read = getattr(boltdb, name)
        monkeypatch.setattr(
            boltdb, name, lambda *_, read=read, **more: (reads.append(""), read(*_, **more))[1]
        )
    monkeypatch.setattr(files, "_TICK", 0)
    monkeypatch.setattr(database, "find_lack", lambda buckets: "")  # so that dates are read, too
    folder = cache(tmp_path, REAL)
    first = database.examine(folder, GOOD)
    count = len(reads)
    assert count >= 2
    assert database.examine(folder, GOOD) == first
    assert "debian 12" in database.read_feeds(folder)
    assert len(reads) == count
    database.path(folder).unlink()
    assert database.examine(cache(tmp_path, REAL + bytes(9)), GOOD).digest != first.digest
    assert len(reads) > count


def test_a_file_that_is_younger_than_its_clock_can_tell_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "database"
    for content in (b"one", b"two", b"six"):
        file.write_bytes(content)
        assert files.digest_file(files.state_of(file)) == digest_of(content)


@pytest.mark.parametrize("padding", [0, 1, 4096, 120_000_000])
def test_a_database_is_partial_by_what_is_in_it_whatever_its_size(padding: int, tmp_path: Path) -> None:
    folder = cache(tmp_path, REAL)
    with database.path(folder).open("r+b") as file:
        file.truncate(len(REAL) + padding)
    found = database.examine(folder, GOOD)
    assert found.complete is False
    assert found.lacks.startswith("it describes ")
    assert found.lacks.endswith(
        "has hardly any advisory of Alpine, Debian, Ubuntu, Red Hat, pip, npm, Maven, Go"
    )


FULL = {
    "alpine 3.19": 60,
    "alpine 3.20": 60,
    "debian 12": 3000,
    "ubuntu 24.04": 3000,
    "Red Hat": 9000,
    "pip::GitHub Security Advisory Pip": 900,
    "npm::GitHub Security Advisory Npm": 900,
    "maven::GitHub Security Advisory Maven": 900,
    "go::GitHub Security Advisory Go": 900,
    "vulnerability": 50_000,
}


def test_a_database_with_all_its_feeds_is_complete() -> None:
    assert database.find_lack(FULL) == ""


@pytest.mark.parametrize("name", FULL)
def test_a_database_without_one_of_them_is_partial(name: str) -> None:
    lack = database.find_lack(FULL | {name: 39})
    assert lack.startswith(f"it describes {'39' if name == 'vulnerability' else '50,000'} vulnerabilities")
    assert database.find_lack({**FULL, name.replace(" ", "-").replace("::", "-"): FULL[name], name: 0})


def test_all_elements_of_a_bucket_are_counted(tmp_path: Path) -> None:
    file = database.path(cache(tmp_path, tree([700, 700, 700])))
    assert dict(boltdb.read_buckets(file, enough=5000)) == {"feed": 2100}
    assert dict(boltdb.read_buckets(file, enough=1000)) == {"feed": 1400}


@pytest.mark.parametrize("pages", [[4, 4, 5], [4, 3, 5], [2, 4, 5]])
def test_a_page_that_is_counted_twice_is_damage(pages: list[int], tmp_path: Path) -> None:
    file = database.path(cache(tmp_path, tree([700, 700, 700], pages)))
    with pytest.raises(boltdb.DamagedFile):
        dict(boltdb.read_buckets(file, enough=5000))


def tree(counts: list[int], pages: list[int] | None = None) -> bytes:
    """Return a bolt file with one bucket, `feed`, of a branch page over leaf pages with so many elements."""
    size, first = 32_768, 4
    named = pages or list(range(first, first + len(counts)))
    branch = struct.pack("<QHHI", 3, 1, len(counts), 0)
    branch += b"".join(struct.pack("<IIQ", 0, 0, page) for page in named)
    leaf = struct.pack("<QHHI", 2, 2, 1, 0) + struct.pack("<IIII", 1, 16, 4, 16)
    leaf += b"feed" + struct.pack("<QQ", 3, 0)
    meta = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, size, 0, 2, 0, 1, first + len(counts), 1)
    made = [struct.pack("<QHHI", 0, 4, 0, 0) + meta + struct.pack("<Q", boltdb._fnv1a(meta))] * 2
    made += [leaf, branch]
    made += [struct.pack("<QHHI", first + at, 2, count, 0) for at, count in enumerate(counts)]
    return b"".join(page.ljust(size, b"\0") for page in made)


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
    assert "autoclave database update" in caught.value.next


def test_a_whole_database_without_advisories_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        boltdb,
        "read_buckets",
        lambda path, *, enough: iter([("data-source", 3), ("vulnerability", 9), ("debian 12", 0)]),
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


def test_values_of_a_bucket_are_read_by_a_range_of_keys(tmp_path: Path) -> None:
    file = database.path(cache(tmp_path, REAL))

    def read(first: str, last: str, most: int = 100) -> list[bytes]:
        return list(boltdb.read_values(file, "vulnerability", first, last, most=most))

    every = read("", "~")
    assert len(every) == dict(boltdb.read_buckets(file, enough=1000))["vulnerability"]
    assert [b"sandbox escape" in value for value in read("CVE-2019-", "CVE-2019.")] == [True]
    assert read("CVE-2026-", "CVE-2026.") == []
    assert read("", "~", 2) == every[:2]
    assert list(boltdb.read_values(file, "nonesuch", "", "~", most=9)) == []


@pytest.mark.parametrize(
    ("dates", "says"),
    [
        (["2026-11-23"], ""),
        (["2020-01-01", "2026-11-18"], ""),
        (["2026-11-10"], "its newest advisory is of 2026-11-10, and its metadata states 2026-11-24"),
        (["2026-12-24"], "its newest advisory is of 2026-12-24"),
        (["2026-99-99", "2026-02-30"], "no advisory with a date of 2026"),
        ([], "no advisory with a date of 2026"),
    ],
)
def test_metadata_that_states_another_time_than_the_advisories_is_a_lack(
    dates: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [f'{{"Title":"x","PublishedDate":"{each}T10:00:00Z"}}'.encode() for each in dates]
    monkeypatch.setattr(database, "find_lack", lambda _: "")
    monkeypatch.setattr(boltdb, "read_values", lambda *_, **__: iter(values))
    found = database.examine(cache(tmp_path, REAL), GOOD)
    assert found.complete is not bool(says)
    assert says in found.lacks
