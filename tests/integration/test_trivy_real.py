"""The real Trivy, on tiny real images and a small real database."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autoclave import tools
from autoclave.errors import DatabaseError, ScannerError
from autoclave.model.facts import Kind, Severity
from autoclave.runtime.shell import Shell
from autoclave.scanners import reports
from autoclave.scanners.base import ReportKind, Scan
from autoclave.scanners.trivy import Trivy, database
from builders import real_trivy
from fixtures.reports import record, tiny_layout

VERSION = tools.find("trivy").tested[-1]
NO_ADVISORIES = '{"sources": [], "vulnerabilities": {}}'


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record.database(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def scanner(cache: Path) -> Trivy:
    return Trivy(Shell(), program=real_trivy.program(), cache=cache)


def scan(scanner: Trivy, image: Callable[[Path], tuple[str, str]], folder: Path) -> Scan:
    # An '@' and a ':' in the path, as on a CI host; Trivy itself would split there.
    layout = folder / "job@2:a" / image.__name__
    work = folder / f"work-{image.__name__}"
    work.mkdir(parents=True)
    return scanner.scan(f"{layout}@{image(layout)[0]}", work)


def test_version_and_database_are_read(scanner: Trivy, cache: Path) -> None:
    versions = scanner.versions()
    assert versions.version == VERSION
    assert versions.database.size == database.path(cache).stat().st_size


def test_vulnerabilities_secret_and_root_user_are_found(scanner: Trivy, tmp_path: Path) -> None:
    done = scan(scanner, tiny_layout.bad, tmp_path)
    facts = done.facts
    found = {(finding.kind, finding.id): finding for finding in facts.findings}
    assert found[Kind.VULNERABILITY, "CVE-2019-10906"].aliases == ("GHSA-462w-v97r-4m45",)
    assert found[Kind.VULNERABILITY, "CVE-2023-45853"].severity is Severity.CRITICAL
    assert found[Kind.SECRET, "private-key"].target == "/srv/app/key.pem"
    assert found[Kind.MISCONFIGURATION, "DS-0002"].target == "image configuration"
    assert len(found) == len(facts.findings) == 6
    (raw,) = (each.path for each in done.reports if each.kind is ReportKind.RAW)
    assert b"AbCdEfGh1234" not in raw.read_bytes(), "the secret itself is in the report"


def test_a_clean_image_has_an_os_packages_and_no_findings(scanner: Trivy, tmp_path: Path) -> None:
    facts = scan(scanner, tiny_layout.clean, tmp_path).facts
    assert (facts.os, facts.packages, facts.findings) == ("debian 12.8", 2, ())
    assert [(each.name, each.judged, each.source) for each in facts.ecosystems] == [
        ("debian", True, "debian 12"),
        ("pypi", True, "pip"),
    ]
    assert {each.updated for each in facts.ecosystems} == {facts.database.updated}


def test_an_image_from_scratch_shows_that_nothing_was_scanned(scanner: Trivy, tmp_path: Path) -> None:
    facts = scan(scanner, tiny_layout.scratch, tmp_path).facts
    assert (facts.os, facts.packages, facts.findings) == ("", 0, ())


def test_a_system_without_advisories_is_not_judged(scanner: Trivy, tmp_path: Path) -> None:
    facts = scan(scanner, tiny_layout.fedora, tmp_path).facts
    assert (facts.os, facts.packages, facts.findings) == ("fedora 40", 1, ())
    assert [(str(each), each.judged) for each in facts.ecosystems] == [("fedora 40", False), ("pypi", True)]
    assert facts.ecosystems[0].why == "Trivy has no advisories for fedora 40"


@pytest.mark.parametrize(
    ("release", "ended"), [("debian 99", False), ("debian 9", True), ("alpine 3.9.6", True)]
)
def test_a_release_that_the_database_does_not_have_is_not_judged(
    release: str, ended: bool, scanner: Trivy, tmp_path: Path
) -> None:
    def image(root: Path) -> tuple[str, str]:
        return tiny_layout.system(root, *release.split())

    facts = scan(scanner, image, tmp_path).facts
    system = facts.ecosystems[0]
    assert (str(system), system.packages, system.judged) == (release, 1, False)
    assert system.why == f"Trivy's database has no advisories for the release {release}"
    assert system.end_of_life is ended


PLACES = (
    "README.md", "app/tests/k.pem", "usr/share/app/k.pem", "app/vendor/k.pem", "app/k.png", "app/.git/k.pem",
    "app/node_modules/x/k.pem", "app/x.dist-info/k.pem", "app/example/k.pem", "app/locale/k.pem", "app/k.tar",
    "usr/lib/python3/k.pem", "usr/local/go/k.pem", "usr/local/lib/python3.11/k.pem", "usr/lib/gems/k.pem",
    "usr/src/wordpress/k.pem", "var/log/anaconda/k.pem", "opt/yarn-v1.22/k.pem", "trivy-secret.yaml",
)  # fmt: skip


def test_secrets_are_found_wherever_they_are(scanner: Trivy, tmp_path: Path) -> None:
    def image(root: Path) -> tuple[str, str]:
        return tiny_layout.write(root, dict.fromkeys(PLACES, tiny_layout.private_key()))

    found = [each for each in scan(scanner, image, tmp_path).facts.findings if each.kind is Kind.SECRET]
    assert {each.target.lstrip("/") for each in found} == set(PLACES)
    assert {each.layer for each in found} == {found[0].layer} != {""}


LOG4J = "META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties"


def java_image(root: Path) -> tuple[str, str]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as jar:
        jar.writestr(LOG4J, "groupId=org.apache.logging.log4j\nartifactId=log4j-core\nversion=2.14.1\n")
    return tiny_layout.write(root, {"app/pump-1.0.jar": archive.getvalue()})


def test_an_image_with_a_java_archive_is_scanned(tmp_path: Path) -> None:
    cache = record.database(tmp_path / "cache", facts=real_trivy.SMALL)
    scanner = Trivy(Shell(), program=real_trivy.program(), cache=cache)
    with pytest.raises(DatabaseError) as caught:
        scan(scanner, java_image, tmp_path / "without")
    assert caught.value.what == "Trivy's Java database is missing"
    assert "autoclave database update" in caught.value.next
    real_trivy.build_java_index(cache)
    facts = scan(scanner, java_image, tmp_path / "with").facts
    assert [(each.name, each.packages, each.judged) for each in facts.ecosystems] == [("maven", 1, True)]
    assert "CVE-2021-44228" in {each.id for each in facts.findings}
    assert [each.name for each in facts.indexes] == ["java"]


def test_no_ignore_inside_of_an_image_counts(scanner: Trivy, tmp_path: Path) -> None:
    def image(root: Path) -> tuple[str, str]:
        files = {
            "app/k.py": f"# trivy:ignore:private-key\n{tiny_layout.private_key()}# trivy:ignore:*\n",
            "app/.trivyignore": "private-key\nCVE-2019-10906\n",
            ".trivyignore": "private-key\nCVE-2019-10906\n",
            ".trivyignore.yaml": "vulnerabilities: [{id: CVE-2019-10906}]\nsecrets: [{id: private-key}]\n",
            "trivy-secret.yaml": "disable-rules: [private-key]\n",
            "trivy.yaml": "severity: [CRITICAL]\n",
        }
        return tiny_layout.write(root, tiny_layout.OS_FILES | tiny_layout.wheel("Jinja2", "2.10") | files)

    found = {each.id for each in scan(scanner, image, tmp_path).facts.findings}
    assert {"private-key", "CVE-2019-10906"} <= found


def test_sbom_and_sarif_reveal_nothing_about_this_machine(scanner: Trivy, tmp_path: Path) -> None:
    done = scan(scanner, tiny_layout.bad, tmp_path)
    reports.check("trivy", done.reports)
    read = {each.kind: json.loads(each.path.read_bytes()) for each in done.reports}
    sbom, sarif = read[ReportKind.SBOM], read[ReportKind.SARIF]
    assert sbom["bomFormat"] == "CycloneDX"
    assert {"Jinja2", "zlib1g"} <= {component["name"] for component in sbom["components"]}
    assert "CVE-2019-10906" in {one["id"] for one in sbom["vulnerabilities"]}
    rules = {result["ruleId"] for result in sarif["runs"][0]["results"]}
    assert {"CVE-2019-10906", "private-key", "DS-0002"} <= rules
    assert str(tmp_path) not in json.dumps(read[ReportKind.RAW]) + json.dumps(sbom) + json.dumps(sarif)


def test_two_scans_at_once_share_a_cache(scanner: Trivy, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        scans = [
            pool.submit(scan, scanner, image, tmp_path) for image in (tiny_layout.bad, tiny_layout.clean)
        ]
    assert [len(one.result().facts.findings) for one in scans] == [6, 0]


def test_settings_of_the_surroundings_hide_nothing(
    scanner: Trivy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVY_SEVERITY", "CRITICAL")
    monkeypatch.setenv("TRIVY_SKIP_DIRS", "/srv")
    work = tmp_path / "work-bad"
    work.mkdir()
    (work / ".trivyignore").write_text("CVE-2019-10906\nprivate-key\n")
    (work / "trivy.yaml").write_text("severity: [CRITICAL]\n")
    (work / "trivy-secret.yaml").write_text("disable-rules: [private-key]\n")
    layout = tmp_path / "layout"
    digest, _ = tiny_layout.bad(layout)
    facts = scanner.scan(f"{layout}@{digest}", work).facts
    assert len(facts.findings) == 6


def _none(cache: Path) -> None:
    shutil.rmtree(cache / "db")


def _zero(cache: Path) -> None:
    database.path(cache).write_bytes(b"")


def _cut(cache: Path) -> None:
    os.truncate(database.path(cache), 20_000)


def _no_metadata(cache: Path) -> None:
    (cache / "db" / "metadata.json").unlink()


def _old_schema(cache: Path) -> None:
    metadata = cache / "db" / "metadata.json"
    metadata.write_text(metadata.read_text().replace('"Version":2', '"Version":1'))


def _no_advisories(cache: Path) -> None:
    facts = cache / "none.json"
    facts.write_text(NO_ADVISORIES)
    record.database(cache, facts=facts)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (_none, "missing"),
        (_zero, "damaged"),
        (_cut, "damaged"),
        (_no_metadata, "metadata"),
        (_old_schema, "schema"),
        (_no_advisories, "empty"),
    ],
)
def test_a_database_that_cannot_be_used_stops_the_scan(
    harm: Callable[[Path], None], says: str, cache: Path, tmp_path: Path
) -> None:
    shutil.copytree(cache, tmp_path / "cache")
    harm(tmp_path / "cache")
    scanner = Trivy(Shell(), program=real_trivy.program(), cache=tmp_path / "cache")
    with pytest.raises(DatabaseError) as caught:
        scan(scanner, tiny_layout.clean, tmp_path)
    assert says in caught.value.what


def test_another_version_is_refused(cache: Path, tmp_path: Path) -> None:
    other = tmp_path / "trivy"
    other.write_text('#!/bin/sh\necho \'{"Version":"0.69.4"}\'\n')
    other.chmod(0o755)
    with pytest.raises(ScannerError) as caught:
        Trivy(Shell(), program=str(other), cache=cache).versions()
    assert "0.69.4" in caught.value.what


def test_a_missing_program_is_refused(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(ScannerError) as caught:
        Trivy(Shell(), program=str(tmp_path / "trivy"), cache=cache).versions()
    assert "missing" in caught.value.what


def test_a_damaged_layer_stops_the_scan_with_trivys_own_reason(scanner: Trivy, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    digest, _ = tiny_layout.bad(layout)
    manifest = json.loads((layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes())
    layer = manifest["layers"][0]["digest"].removeprefix("sha256:")
    os.truncate(layout / "blobs" / "sha256" / layer, 100)
    with pytest.raises(ScannerError) as caught:
        scanner.scan(f"{layout}@{digest}", tmp_path)
    assert "FATAL" in caught.value.why
