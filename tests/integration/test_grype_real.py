"""The real Grype, on tiny real images and a small real database of the same facts as Trivy's."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from autoclave import tools
from autoclave.errors import DatabaseError, ScannerError
from autoclave.gates import vulnerabilities
from autoclave.model.facts import Kind, Severity
from autoclave.runtime.shell import Shell
from autoclave.scanners import reports
from autoclave.scanners.base import ReportKind, Scan, Scanner
from autoclave.scanners.grype import Grype, database
from autoclave.scanners.trivy import Trivy
from builders import real_grype, real_trivy
from fixtures.reports import record, tiny_layout

VERSION = tools.find("grype").tested[-1]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_grype.build_database(tmp_path_factory.mktemp("grype"))


@pytest.fixture
def scanner(cache: Path) -> Grype:
    return real_grype.create(cache)


def scan(scanner: Scanner, image: Callable[[Path], tuple[str, str]], folder: Path) -> Scan:
    # An '@' and a ':' in the path, as on a CI host.
    layout = folder / "job@2:a" / image.__name__
    work = folder / f"work-{image.__name__}-{scanner.name}"
    work.mkdir(parents=True)
    return scanner.scan(f"{layout}@{image(layout)[0]}", work)


def test_vulnerabilities_are_found_with_their_cve_vectors_weakness_and_fix(
    scanner: Grype, tmp_path: Path
) -> None:
    facts = scan(scanner, tiny_layout.bad, tmp_path).facts
    found = {finding.id: finding for finding in facts.findings}
    escape = found["CVE-2019-10906"]
    assert (escape.aliases, escape.severity, escape.fixed) == (
        ("GHSA-462w-v97r-4m45",),
        Severity.HIGH,
        "2.10.1",
    )
    assert escape.target == "opt/venv/lib/python3.11/site-packages/Jinja2-2.10.dist-info/METADATA"
    assert escape.found_by == "python-matcher exact-direct-match"
    assert any(each.vector.startswith("CVSS:3") and each.score == escape.cvss for each in escape.ratings)
    assert found["CVE-2022-37434"].target == "debian 12.8"
    assert {finding.kind for finding in facts.findings} == {Kind.VULNERABILITY}
    assert facts.kinds == (Kind.VULNERABILITY,)


def test_packages_and_system_are_judged_by_what_the_database_has(scanner: Grype, tmp_path: Path) -> None:
    facts = scan(scanner, tiny_layout.clean, tmp_path).facts
    assert facts.findings == ()
    judged = {str(each): (each.packages, each.judged, each.source) for each in facts.ecosystems}
    assert judged == {"debian 12.8": (1, True, "debian 12"), "pypi": (1, True, "python")}
    assert {each.updated for each in facts.ecosystems} == {facts.database.updated}


@pytest.mark.parametrize(
    ("release", "why"),
    [
        ("NAME=Fedora\nID=fedora\nVERSION_ID=40\n", "no advisories for fedora 40"),
        ("ID=debian\nVERSION_ID=99\n", "no advisories for debian 99"),
        ("ID=debian\nVERSION_ID=12\nVERSION_CODENAME=nonesuch\n", "no advisories for debian 12"),
        ("ID=debian\nPRETTY_NAME=sid\nVERSION_CODENAME=forky\n", "no advisories for debian"),
    ],
)
def test_a_release_that_the_database_does_not_know_is_not_judged(
    release: str, why: str, scanner: Grype, tmp_path: Path
) -> None:
    def image(root: Path) -> tuple[str, str]:
        files = {**tiny_layout.OS_FILES, "etc/os-release": release}
        del files["etc/debian_version"]
        return tiny_layout.write(root, files)

    facts = scan(scanner, image, tmp_path).facts
    (system,) = (each for each in facts.ecosystems if each.is_system)
    assert (system.judged, system.packages, facts.findings) == (False, 1, ())
    assert why in system.why


def test_a_release_past_its_end_of_life_says_so(cache: Path, tmp_path: Path) -> None:
    shutil.copytree(cache, tmp_path / "cache")
    with closing(sqlite3.connect(database.path(tmp_path / "cache"))) as opened:
        opened.execute("UPDATE operating_systems SET eol_date = '2020-01-01 00:00:00+00:00'")
        opened.commit()
    # What changed is found by its digest: this is another database, and its own metadata says so.
    with pytest.raises(ScannerError):
        scan(real_grype.create(tmp_path / "cache"), tiny_layout.bad, tmp_path / "changed")
    real_grype.create(tmp_path / "ended").unpack(database.path(tmp_path / "cache"))
    facts = scan(real_grype.create(tmp_path / "ended"), tiny_layout.bad, tmp_path).facts
    assert [each.end_of_life for each in facts.ecosystems if each.is_system] == [True]


def test_an_image_from_scratch_has_no_packages(scanner: Grype, tmp_path: Path) -> None:
    facts = scan(scanner, tiny_layout.scratch, tmp_path).facts
    assert (facts.ecosystems, facts.findings) == ((), ())


def test_reports_are_read_back_and_reveal_nothing_about_this_machine(
    scanner: Grype, cache: Path, tmp_path: Path
) -> None:
    done = scan(scanner, tiny_layout.bad, tmp_path)
    reports.check("grype", done.reports)
    assert {each.kind for each in done.reports} == set(ReportKind)
    for each in done.reports:
        text = each.path.read_text()
        assert str(tmp_path) not in text, each.kind
        assert str(cache) not in text, each.kind
    (sbom,) = (json.loads(each.path.read_bytes()) for each in done.reports if each.kind is ReportKind.SBOM)
    assert {"jinja2", "zlib1g"} <= {component["name"] for component in sbom["components"]}


def test_settings_of_the_surroundings_hide_nothing(
    scanner: Grype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRYPE_ONLY_FIXED", "true")
    monkeypatch.setenv("GRYPE_EXCLUDE", "/opt/**")
    monkeypatch.setenv("GRYPE_CONFIG", str(tmp_path / "grype.yaml"))
    monkeypatch.setenv("HOME", str(tmp_path))
    ignoring = "ignore:\n  - vulnerability: GHSA-462w-v97r-4m45\nexclude: ['/opt/**']\n"
    work = tmp_path / "work"
    work.mkdir()
    for place in (tmp_path / ".grype.yaml", tmp_path / "grype.yaml", work / ".grype.yaml"):
        place.write_text(ignoring)
    digest, _ = tiny_layout.bad(tmp_path / "layout")
    facts = scanner.scan(f"{tmp_path / 'layout'}@{digest}", work).facts
    assert "CVE-2019-10906" in {each.id for each in facts.findings}


def _none(cache: Path) -> None:
    shutil.rmtree(cache / "6")


def _zero(cache: Path) -> None:
    database.path(cache).write_bytes(b"")


def _cut(cache: Path) -> None:
    os.truncate(database.path(cache), 20_000)


def _foreign(cache: Path) -> None:
    database.path(cache).write_bytes(b"x" * 100_000)


def _execute(statement: str) -> Callable[[Path], None]:
    def harm(cache: Path) -> None:
        with closing(sqlite3.connect(database.path(cache))) as opened:
            opened.execute(statement)
            opened.commit()

    return harm


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (_none, "missing"),
        (_zero, "damaged"),
        (_cut, "damaged"),
        (_foreign, "damaged"),
        (_execute("DELETE FROM db_metadata"), "metadata"),
        (_execute("UPDATE db_metadata SET build_timestamp = 'yesterday'"), "metadata"),
        (_execute("UPDATE db_metadata SET model = 5"), "schema"),
        (_execute("DELETE FROM affected_package_handles"), "empty"),
    ],
)
def test_a_database_that_cannot_be_used_stops_the_scan(
    harm: Callable[[Path], None], says: str, cache: Path, tmp_path: Path
) -> None:
    shutil.copytree(cache, tmp_path / "cache")
    harm(tmp_path / "cache")
    with pytest.raises(DatabaseError) as caught:
        scan(real_grype.create(tmp_path / "cache"), tiny_layout.clean, tmp_path)
    assert says in caught.value.what


def test_a_database_that_changed_since_it_was_imported_stops_the_scan(cache: Path, tmp_path: Path) -> None:
    shutil.copytree(cache, tmp_path / "cache")
    _execute("DELETE FROM affected_package_handles WHERE id > 1")(tmp_path / "cache")
    with pytest.raises(ScannerError):
        scan(real_grype.create(tmp_path / "cache"), tiny_layout.bad, tmp_path)


def test_a_damaged_layer_stops_the_scan(scanner: Grype, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    digest, _ = tiny_layout.bad(layout)
    manifest = json.loads((layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes())
    layer = manifest["layers"][0]["digest"].removeprefix("sha256:")
    os.truncate(layout / "blobs" / "sha256" / layer, 100)
    with pytest.raises(ScannerError):
        scanner.scan(f"{layout}@{digest}", tmp_path)


def test_another_version_and_a_missing_program_are_refused(cache: Path, tmp_path: Path) -> None:
    other = tmp_path / "grype"
    other.write_text("#!/bin/sh\necho grype 0.1.0\n")
    other.chmod(0o755)
    with pytest.raises(ScannerError) as caught:
        Grype(Shell(), program=str(other), cache=cache).versions()
    assert "0.1.0" in caught.value.what
    assert VERSION in caught.value.what
    with pytest.raises(ScannerError) as caught:
        Grype(Shell(), program=str(tmp_path / "absent"), cache=cache).versions()
    assert "missing" in caught.value.what


def test_trivy_and_grype_find_the_same_in_the_same_facts_and_what_one_lacks_is_listed(
    scanner: Grype, cache: Path, tmp_path: Path
) -> None:
    trivy = Trivy(Shell(), program=real_trivy.program(), cache=record.database(tmp_path / "trivy"))
    both = [scan(each, tiny_layout.bad, tmp_path).facts for each in (trivy, scanner)]
    # Grype leaves it out by a list of corrections in its source (grype/match/explicit_ignores.go).
    alone = "only trivy found critical CVE-2023-45853 in zlib1g 1:1.2.13.dfsg-1"
    assert vulnerabilities.compare(both) == [alone]
    shutil.copytree(cache, tmp_path / "half")
    facts = json.loads(real_grype.ADVISORIES.read_text())
    facts["sources"] = [each for each in facts["sources"] if not each["bucket"].startswith("debian")]
    (tmp_path / "half.json").write_text(json.dumps(facts))
    half = real_grype.create(real_grype.build_database(tmp_path / "half", facts=tmp_path / "half.json"))
    (tmp_path / "again").mkdir()
    both[1] = scan(half, tiny_layout.bad, tmp_path / "again").facts
    other = "only trivy found medium CVE-2022-37434 in zlib1g 1:1.2.13.dfsg-1"
    assert sorted(vulnerabilities.compare(both)) == sorted([alone, other])
