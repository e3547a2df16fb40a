"""Databases are renewed as a whole or not at all; a mirror that is older, partial or hostile is refused."""

from __future__ import annotations

import io
import tarfile
from datetime import timedelta
from pathlib import Path

import pytest

from autoclave.actions import databases
from autoclave.errors import Busy, DatabaseError, UsageError
from autoclave.model.digest import digest_of
from autoclave.model.facts import Database
from autoclave.runtime.shell import Shell
from autoclave.scanners import archives
from autoclave.scanners.base import Scan, Versions
from builders.sample_facts import NOW

FILE = "advisories"


class Kept:
    """A scanner whose database is one file: `complete` or `partial`, and the hours of its age."""

    name = "kept"
    command = ("kept", "IMAGE")
    parts = ("db",)
    tag = "1"

    def __init__(self, cache: Path, published: str = "complete 1") -> None:
        self.cache = cache
        self.published = published

    def versions(self) -> Versions:
        path = self.cache / "db" / FILE
        if not path.is_file():
            raise DatabaseError("the database is missing")
        word, _, hours = path.read_text().partition(" ")
        database = Database(
            updated=NOW - timedelta(hours=float(hours)), digest=digest_of(path.read_bytes()),
            complete=word == "complete", lacks="" if word == "complete" else "hardly any advisory",
        )  # fmt: skip
        return Versions(version="1", database=database)

    def scan(self, image: str, folder: Path) -> Scan:
        raise NotImplementedError

    def at(self, cache: Path) -> Kept:
        return Kept(cache, self.published)

    def download(self) -> None:
        write(self.cache, self.published)

    def unpack(self, archive: Path) -> None:
        archives.unpack(archive, {FILE: self.cache / "db" / FILE})

    def pack(self, archive: Path) -> None:
        archives.pack(archive, {FILE: self.cache / "db" / FILE})


class Closed:
    """A scanner that keeps its own database."""

    name = "closed"
    command = ("closed",)

    def versions(self) -> Versions:
        return Versions(version="1", database=Database(updated=NOW, digest="sha256:1"))

    def scan(self, image: str, folder: Path) -> Scan:
        raise NotImplementedError


def write(cache: Path, text: str) -> None:
    (cache / "db").mkdir(parents=True, exist_ok=True)
    (cache / "db" / FILE).write_text(text)


def read(cache: Path) -> str:
    return (cache / "db" / FILE).read_text()


def tar(path: Path, *members: tuple[str, bytes, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as file:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            member.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def test_the_publishers_database_replaces_the_old_one_and_nothing_else_in_the_cache(tmp_path: Path) -> None:
    write(tmp_path, "complete 50")
    (tmp_path / "other").write_text("of the scanner")
    database = databases.renew(Kept(tmp_path), "", Shell())
    assert (read(tmp_path), database.updated) == ("complete 1", NOW - timedelta(hours=1))
    assert {path.name for path in tmp_path.iterdir()} == {"db", "other", ".update.lock"}


def test_a_saved_database_is_taken_from_its_file_elsewhere(tmp_path: Path) -> None:
    write(tmp_path / "here", "complete 1")
    databases.save(Kept(tmp_path / "here"), tmp_path / "saved.tar.gz")
    databases.renew(Kept(tmp_path / "there"), str(tmp_path / "saved.tar.gz"), Shell())
    assert read(tmp_path / "there") == "complete 1"
    again = tmp_path / "again.tar.gz"
    databases.save(Kept(tmp_path / "there"), again)
    assert again.read_bytes() == (tmp_path / "saved.tar.gz").read_bytes()


@pytest.mark.parametrize(
    ("published", "what"), [("complete 3", "is older"), ("partial 1", "has less"), ("complete x", "")]
)
def test_one_that_is_worse_or_invalid_leaves_the_old_one_in_its_place(
    published: str, what: str, tmp_path: Path
) -> None:
    write(tmp_path, "complete 2")
    with pytest.raises((DatabaseError, ValueError)) as caught:
        databases.renew(Kept(tmp_path, published), "", Shell())
    assert what in str(caught.value)
    assert read(tmp_path) == "complete 2"
    assert {path.name for path in tmp_path.iterdir()} == {"db", ".update.lock"}


def test_an_old_one_that_cannot_be_used_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    databases.renew(Kept(tmp_path, "partial 1"), "", Shell())
    assert read(tmp_path) == "partial 1"


def test_nothing_is_fetched_from_nowhere(tmp_path: Path) -> None:
    write(tmp_path, "complete 9")
    assert databases.renew(Kept(tmp_path), databases.NOWHERE, Shell()).updated == NOW - timedelta(hours=9)
    assert {path.name for path in tmp_path.iterdir()} == {"db"}


def test_two_updates_at_once_do_not_mix(tmp_path: Path) -> None:
    write(tmp_path, "complete 9")
    with databases._lock(tmp_path), pytest.raises(Busy):
        databases.renew(Kept(tmp_path), "", Shell())


@pytest.mark.parametrize(
    "origin",
    ["/nonexistent", "http://mirror/db", "oci://", "oci://me:secret@host/db", "oci://HOST/db:tag with space"],
)
def test_an_origin_that_is_none_is_refused_without_its_password(origin: str, tmp_path: Path) -> None:
    with pytest.raises(Exception) as caught:
        databases.renew(Kept(tmp_path), origin, Shell())
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "db").exists()


def test_a_scanner_without_such_a_database_says_so(tmp_path: Path) -> None:
    assert databases.renew(Closed(), databases.NOWHERE, Shell()).updated == NOW
    for act in (
        lambda: databases.renew(Closed(), "", Shell()),
        lambda: databases.save(Closed(), tmp_path / "x"),
    ):
        with pytest.raises(UsageError):
            act()


REG, LINK = tarfile.REGTYPE, tarfile.SYMTYPE


@pytest.mark.parametrize(
    "members",
    [
        [("other", REG, b"x")],
        [(FILE, LINK, b"")],
        [(FILE, tarfile.LNKTYPE, b"")],
        [(FILE, tarfile.FIFOTYPE, b"")],
        [(FILE, REG, b"complete 1"), (FILE, REG, b"complete 0")],
        [(f"file{number}", REG, b"") for number in range(40)] + [(FILE, REG, b"complete 1")],
        [(f"../{FILE}", REG, b"complete 1")],
        [(f"/{FILE}", REG, b"complete 1")],
    ],
)
def test_a_hostile_archive_is_refused(members: list[tuple[str, bytes, bytes]], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(DatabaseError):
        databases.renew(Kept(cache), str(tar(tmp_path / "a.tar.gz", *members)), Shell())
    assert not (cache / "db").exists()


@pytest.mark.parametrize("raw", [b"", b"text", b"\x1f\x8b\x08\x00garbage"])
def test_a_file_that_is_no_archive_is_refused(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(raw)
    with pytest.raises(DatabaseError):
        databases.renew(Kept(tmp_path / "cache"), str(tmp_path / "a.tar.gz"), Shell())


def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_LARGEST", 5)
    with pytest.raises(DatabaseError):
        databases.renew(
            Kept(tmp_path / "c"), str(tar(tmp_path / "a.tar.gz", (FILE, REG, b"complete 1"))), Shell()
        )
