"""KEV and EPSS: read, pinned, dated; what is wrong with one is an error, what it says is in the findings."""

from __future__ import annotations

import gzip
import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from autoclave.errors import ConfigError, DatabaseError
from autoclave.model.digest import digest_of
from autoclave.model.facts import CatalogueName, Finding, Kind, Prediction, Severity
from autoclave.scanners import catalogues
from builders.sample_facts import SCAN

KEV: dict[str, Any] = {
    "title": "CISA Catalog of Known Exploited Vulnerabilities",
    "catalogVersion": "2026.11.24",
    "dateReleased": "2026-11-24T15:00:02.8139Z",
    "count": 1,
    "vulnerabilities": [
        {
            "cveID": "CVE-2023-44487", "vendorProject": "IETF", "product": "HTTP/2",
            "dateAdded": "2023-10-10",
            "dueDate": "2023-10-31", "knownRansomwareCampaignUse": "Unknown", "cwes": ["CWE-400"],
        }
    ],
}  # fmt: skip
EPSS = b"""#model_version:v2025.03.14,score_date:2026-11-24T12:55:00Z
cve,epss,percentile
CVE-2023-44487,0.94402,0.99981
CVE-2023-5363,0.00105,0.29
"""
FINDING = Finding(
    id="GHSA-qppj-fm5r-hxr3", kind=Kind.VULNERABILITY, severity=Severity.LOW, title="rapid reset",
    target="debian 12", aliases=("CVE-2023-44487",), package="nghttp2", version="1.52",
)  # fmt: skip


def source(name: CatalogueName, folder: Path, raw: bytes, pin: str = "") -> dict[CatalogueName, str]:
    file = folder / name
    file.write_bytes(raw)
    return {name: f"{file}{pin}"}


def kev(**changes: Any) -> bytes:
    return json.dumps(KEV | changes).encode()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_what_the_catalogues_say_is_in_the_findings_and_their_dates_in_the_facts(
    pack: Any, tmp_path: Path
) -> None:
    named = source(CatalogueName.EXPLOITED, tmp_path, kev()) | source(
        CatalogueName.PREDICTED, tmp_path, pack(EPSS)
    )
    secret = replace(FINDING, id="private-key", kind=Kind.SECRET)
    other = replace(FINDING, id="CVE-2000-1", aliases=())
    done = catalogues.enrich(replace(SCAN, findings=(FINDING, secret, other)), catalogues.load(named))
    found, *untouched = done.findings
    assert found.exploited and found.exploited.added == date(2023, 10, 10)
    assert found.prediction == Prediction(0.94402, 0.99981)
    assert untouched == [secret, other]
    assert [(each.name, each.entries, f"{each.updated:%Y-%m-%d}") for each in done.catalogues] == [
        ("exploited", 1, "2026-11-24"),
        ("predicted", 2, "2026-11-24"),
    ]
    assert done.catalogues[0].digest == digest_of(kev())


def test_a_pinned_catalogue_must_have_its_digest(tmp_path: Path) -> None:
    right = digest_of(kev())
    assert catalogues.load(source(CatalogueName.EXPLOITED, tmp_path, kev(), f"@{right}")).exploited
    wrong = source(CatalogueName.EXPLOITED, tmp_path, kev(), f"@sha256:{'0' * 64}")
    with pytest.raises(DatabaseError) as caught:
        catalogues.load(wrong)
    assert "is another one" in caught.value.what


@pytest.mark.parametrize(
    ("name", "raw", "what"),
    [
        (CatalogueName.EXPLOITED, b"", "is not CISA's"),
        (CatalogueName.EXPLOITED, b"[" * 100_000, "is not CISA's"),
        (CatalogueName.EXPLOITED, kev()[:-5], "is not CISA's"),
        (CatalogueName.EXPLOITED, kev(count=2), "is not whole"),
        (CatalogueName.EXPLOITED, kev(count=0, vulnerabilities=[]), "is empty"),
        (CatalogueName.EXPLOITED, kev(dateReleased="2026-11-24"), "is not CISA's"),
        (CatalogueName.EXPLOITED, kev(vulnerabilities=[{"cveID": "", "dateAdded": "2023-10-10"}]), "CISA"),
        (CatalogueName.PREDICTED, b"cve,epss,percentile\n", "is not FIRST's"),
        (CatalogueName.PREDICTED, EPSS.replace(b"cve,epss", b"id,epss"), "is not FIRST's"),
        (CatalogueName.PREDICTED, b"\n".join(EPSS.split(b"\n")[:2]) + b"\n", "is empty"),
        (CatalogueName.PREDICTED, gzip.compress(EPSS)[:-9], "is not whole"),
        (CatalogueName.PREDICTED, gzip.compress(EPSS)[:10] + b"\xff" * 20, "is not whole"),
        (CatalogueName.PREDICTED, gzip.compress(bytes(65 << 20)), "is too large"),
        (CatalogueName.PREDICTED, b"x" * ((64 << 20) + 1), "is too large"),
    ],
)  # fmt: skip
def test_a_catalogue_that_cannot_be_used_is_an_error(
    name: CatalogueName, raw: bytes, what: str, tmp_path: Path
) -> None:
    with pytest.raises(DatabaseError) as caught:
        catalogues.load(source(name, tmp_path, raw))
    assert what in caught.value.what


@pytest.mark.parametrize("score", [b"much", b"1.5", b"-0.1", b"nan", b"inf"])
def test_a_score_that_is_no_probability_is_an_error(score: bytes, tmp_path: Path) -> None:
    raw = EPSS.replace(b"0.94402", score)
    loaded = catalogues.load(source(CatalogueName.PREDICTED, tmp_path, raw))
    with pytest.raises(DatabaseError):
        catalogues.enrich(replace(SCAN, findings=(FINDING,)), loaded)


def test_a_pipe_is_no_catalogue(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "kev")
    with pytest.raises(DatabaseError):
        catalogues.load({CatalogueName.EXPLOITED: str(tmp_path / "kev")})


def test_of_two_scores_the_higher_one_counts(tmp_path: Path) -> None:
    raw = EPSS + b"CVE-2023-44487,0.0,0.0\n"
    loaded = catalogues.load(source(CatalogueName.PREDICTED, tmp_path, raw))
    assert loaded.find_predictions({"CVE-2023-44487"})["CVE-2023-44487"].score == 0.94402


def test_a_missing_catalogue_is_an_error() -> None:
    with pytest.raises(DatabaseError) as caught:
        catalogues.load({CatalogueName.EXPLOITED: "/nonexistent/kev.json"})
    assert "database update" in caught.value.next


@pytest.mark.parametrize(
    "text",
    ["kev.json", "../kev.json", "http://mirror.example.org/kev", "ftp://x/y", "https://me:secret@host/kev",
     "https:///kev", "/srv/kev.json@sha256:12", ""],
)  # fmt: skip
def test_a_place_that_is_neither_a_file_nor_an_address_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        catalogues.parse_source(CatalogueName.EXPLOITED, text)
    assert "secret" not in str(caught.value.what + caught.value.why)


def test_an_address_is_read_from_the_copy_that_was_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    named = {CatalogueName.EXPLOITED: "https://mirror.example.org/kev.json"}
    with pytest.raises(DatabaseError):
        catalogues.load(named)
    file = catalogues.parse_source(CatalogueName.EXPLOITED, named[CatalogueName.EXPLOITED]).file()
    file.parent.mkdir(parents=True)
    file.write_bytes(kev())
    assert catalogues.load(named).exploited
