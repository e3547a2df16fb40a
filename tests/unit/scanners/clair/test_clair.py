"""Clair, against its double: what it finds, and that a Clair without advisories cannot pass an image."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autoclave.errors import DatabaseError, ScannerError
from autoclave.model.facts import Kind, Severity
from autoclave.scanners.base import Scan
from autoclave.scanners.clair import Clair, layers
from doubles.clair_double import OPERATIONS, ClairDouble, serve
from fixtures.reports import tiny_layout


@pytest.fixture
def double() -> Iterator[ClairDouble]:
    with serve(ClairDouble()) as running:
        yield running


def scan(double: ClairDouble, folder: Path, image: Any = tiny_layout.bad) -> Scan:
    layout, work = folder / "layout", folder / "work"
    work.mkdir()
    return Clair(double.address, sleep=lambda _: None).scan(f"{layout}@{image(layout)[0]}", work)


def test_findings_have_their_cve_vectors_fix_and_place(double: ClairDouble, tmp_path: Path) -> None:
    facts = scan(double, tmp_path).facts
    found = {each.id: each for each in facts.findings}
    zlib, jinja = found["CVE-2022-37434"], found["CVE-2019-10906"]
    assert (zlib.severity, zlib.package, zlib.fixed) == (Severity.CRITICAL, "zlib1g", "1:1.2.13.dfsg-2")
    assert (zlib.target, zlib.cvss, zlib.found_by) == ("debian 12", 9.8, "version, by debian/updater")
    assert (jinja.aliases, jinja.target) == (("GHSA-462w-v97r-4m45",), "python:opt/venv")
    assert facts.kinds == (Kind.VULNERABILITY,)
    judged = {str(each): (each.packages, each.judged, each.source) for each in facts.ecosystems}
    assert judged == {"debian 12": (1, True, "debian/updater"), "pypi": (1, True, "osv/pypi")}
    assert f"{facts.database.updated:%H:%M}" == "09:00"
    assert facts.database.complete is False
    assert "no updater has run for Alpine, Red Hat, Ubuntu" in facts.database.lacks


def test_indexing_and_matching_are_waited_for(double: ClairDouble, tmp_path: Path) -> None:
    double.indexed_after, double.initialised_after = 3, 2
    assert len(scan(double, tmp_path).facts.findings) == 2
    assert sum("GET /indexer/api/v1/index_report/" in each for each in double.asked) == 3
    assert sum("vulnerability_report" in each for each in double.asked) == 3


def test_a_clair_whose_updaters_never_ran_passes_no_image(double: ClairDouble, tmp_path: Path) -> None:
    double.operations = {}
    with pytest.raises(DatabaseError) as caught:
        scan(double, tmp_path)
    assert "every image would look clean" in caught.value.why


def test_a_matcher_that_is_never_initialised_is_an_error(
    double: ClairDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.initialised_after = 1_000_000
    monkeypatch.setattr("autoclave.scanners.clair._LONGEST", 0.0)
    with pytest.raises(DatabaseError) as caught:
        scan(double, tmp_path)
    assert "202" in caught.value.why


def test_packages_without_an_updater_are_not_judged(double: ClairDouble, tmp_path: Path) -> None:
    double.operations = {"osv/pypi": OPERATIONS["osv/pypi"]}
    system = next(each for each in scan(double, tmp_path).facts.ecosystems if each.is_system)
    assert not system.judged
    assert system.why == "no updater for debian 12 has run in this Clair"


def _other(report: dict[str, Any]) -> Any:
    return report | {"manifest_hash": "sha256:" + "0" * 64}


def _fewer(report: dict[str, Any]) -> Any:
    return report | {"packages": {}, "package_vulnerabilities": {}}


def _dangling(report: dict[str, Any]) -> Any:
    return report | {"vulnerabilities": {}}


def _nulls(report: dict[str, Any]) -> Any:
    return report | {"vulnerabilities": None, "enrichments": {"x": [None, {"356835": None}, 7]}}


@pytest.mark.parametrize(
    "change", [_other, _fewer, _dangling, _nulls, lambda _: b"{", lambda _: b"[" * 100_000, lambda _: []]
)
def test_a_report_that_does_not_fit_is_refused(change: Any, double: ClairDouble, tmp_path: Path) -> None:
    double.change = change
    with pytest.raises(ScannerError):
        scan(double, tmp_path)


def test_a_layer_that_is_another_one_is_no_clean_image(double: ClairDouble, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    digest, _ = tiny_layout.bad(layout)
    (layer,) = [
        path for path in (layout / "blobs" / "sha256").iterdir() if path.read_bytes()[:2] == b"\x1f\x8b"
    ]
    layer.write_bytes(layer.read_bytes() + b"x")
    with pytest.raises(ScannerError) as caught:
        Clair(double.address).scan(f"{layout}@{digest}", tmp_path)
    assert "another digest" in caught.value.why


def test_advisories_that_change_meanwhile_are_an_error(double: ClairDouble, tmp_path: Path) -> None:
    def renew(report: dict[str, Any]) -> dict[str, Any]:
        double.operations = {"debian/updater": [OPERATIONS["debian/updater"][0] | {"ref": "other"}]}
        return report

    double.change = renew
    with pytest.raises(DatabaseError):
        scan(double, tmp_path)


def test_only_the_images_layers_are_served_and_only_under_the_secret_path(
    double: ClairDouble, tmp_path: Path
) -> None:
    digest, config = tiny_layout.bad(tmp_path)
    with layers.serve(tmp_path, frozenset({digest}), double.address) as address:
        with urllib.request.urlopen(f"{address}/{digest}") as answer:
            assert answer.status == 200
        host = address.rpartition("/")[0]
        for path in (
            f"{address}/{config}",
            f"{address}/../index.json",
            f"{host}/{digest}",
            f"{host}/x/{digest}",
        ):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(path)
            assert caught.value.code == 404
            caught.value.close()


@pytest.mark.parametrize(
    "server", ["", "clair", "clair:6060", "ftp://clair", "https://me:secret@clair", "https://clair/api"]
)
def test_a_server_needs_an_address(server: str) -> None:
    with pytest.raises(ScannerError) as caught:
        Clair(server).versions()
    assert "secret" not in caught.value.what + caught.value.why


def test_a_server_that_does_not_answer_is_named() -> None:
    with pytest.raises(ScannerError) as caught:
        Clair("http://127.0.0.1:1", sleep=lambda _: None).versions()
    assert "127.0.0.1:1" in caught.value.why
