"""Catalogues are fetched, verified and kept; a worse one leaves the copy that was there."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave.actions import catalogues as acting
from autoclave.errors import DatabaseError
from autoclave.model.digest import digest_of
from autoclave.model.facts import CatalogueName
from autoclave.scanners import catalogues
from autoclave.scanners.catalogues import Source

URL = "https://mirror.example.org/kev.json"


def kev(day: int = 24, count: int = 1) -> bytes:
    known = '{"cveID": "CVE-2023-44487", "dateAdded": "2023-10-10"}'
    return (
        f'{{"dateReleased": "2026-11-{day:02}T15:00:00Z", "count": {count}, "vulnerabilities": [{known}]}}'
    ).encode()


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Source:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return catalogues.parse_source(CatalogueName.EXPLOITED, URL)


def test_a_catalogue_is_kept_where_the_scan_reads_it(source: Source) -> None:
    assert acting.renew(source, lambda url: kev() if url == URL else b"").entries == 1
    assert catalogues.load({CatalogueName.EXPLOITED: URL}).records[0].digest == digest_of(kev())


@pytest.mark.parametrize("worse", [kev(day=23), kev(count=2), b"", b"<html>"])
def test_an_older_or_invalid_one_leaves_the_copy(worse: bytes, source: Source) -> None:
    acting.renew(source, lambda _: kev())
    with pytest.raises(DatabaseError):
        acting.renew(source, lambda _: worse)
    assert catalogues.load({CatalogueName.EXPLOITED: URL}).records[0].digest == digest_of(kev())


def test_a_pinned_one_is_taken_by_its_digest_alone(source: Source) -> None:
    pinned = catalogues.parse_source(CatalogueName.EXPLOITED, f"{URL}@{digest_of(kev(day=20))}")
    acting.renew(source, lambda _: kev())
    with pytest.raises(DatabaseError):
        acting.renew(pinned, lambda _: kev(day=25))
    assert acting.renew(pinned, lambda _: kev(day=20)).updated.day == 20


def test_a_damaged_copy_is_replaced(source: Source) -> None:
    source.file().parent.mkdir(parents=True)
    source.file().write_bytes(b"half")
    assert acting.renew(source, lambda _: kev()).entries == 1


def test_a_file_is_only_read(tmp_path: Path) -> None:
    file = tmp_path / "kev.json"
    file.write_bytes(kev())
    here = catalogues.parse_source(CatalogueName.EXPLOITED, str(file))
    assert acting.renew(here).digest == digest_of(kev())
