"""Trivy's JSON, recorded from the real scanner (tests/fixtures/reports/record.py), normalised."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from autoclave import tools
from autoclave.errors import ScannerError
from autoclave.model.facts import Database, Finding, Kind, Rating, Severity
from autoclave.model.inventory import Ecosystem
from autoclave.scanners.trivy import report as trivy_report

VERSION = tools.find("trivy").tested[-1]
REPORTS = Path(__file__).parents[3] / "fixtures" / "reports"
THEN = datetime(2026, 11, 24, tzinfo=UTC)
DATABASE = Database(updated=THEN, digest="sha256:" + "1" * 64)
ADVISORIES = trivy_report.Advisories(
    database=DATABASE, feeds=frozenset({"debian 12", "pip::GitHub Security Advisory Pip", "Red Hat"})
)
DEBIAN = Ecosystem(
    name="debian", version="12.8", is_system=True, packages=1, judged=True,
    source="debian 12", database=DATABASE.digest, updated=THEN,
)  # fmt: skip
PYPI = Ecosystem(name="pypi", packages=1, judged=True, source="pip", database=DATABASE.digest, updated=THEN)


def read_recorded(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = msgspec.json.decode((REPORTS / f"trivy_{name}.json").read_bytes())
    return loaded


def normalise(report: dict[str, Any], *, config: str = "", version: str = VERSION) -> trivy_report.Content:
    raw, config = msgspec.json.encode(report), config or report["Metadata"]["ImageID"]
    return trivy_report.normalise(raw, config_digest=config, version=version, advisories=ADVISORIES)


def by_id(content: trivy_report.Content) -> dict[str, Finding]:
    return {finding.id: finding for finding in content.findings}


def test_each_kind_of_package_is_counted_with_the_feed_that_judged_it() -> None:
    assert normalise(read_recorded("bad")).ecosystems == (DEBIAN, PYPI)


def test_a_python_vulnerability_is_normalised_and_its_aliases_merged() -> None:
    finding = by_id(normalise(read_recorded("bad")))["CVE-2019-10906"]
    assert finding == Finding(
        id="CVE-2019-10906",
        kind=Kind.VULNERABILITY,
        severity=Severity.HIGH,
        title="python-jinja2: str.format_map allows sandbox escape",
        target="opt/venv/lib/python3.11/site-packages/Jinja2-2.10.dist-info/METADATA",
        aliases=("GHSA-462w-v97r-4m45",),
        package="Jinja2",
        version="2.10",
        purl="pkg:pypi/jinja2@2.10",
        fixed="2.10.1",
        cvss=8.6,
        url="https://avd.aquasec.com/nvd/cve-2019-10906",
        ratings=(
            Rating(source="ghsa", severity=Severity.HIGH),
            Rating(source="nvd", severity=Severity.HIGH),
            Rating(
                source="nvd",
                severity=Severity.HIGH,
                vector="CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:N",
                score=8.6,
            ),
            Rating(source="nvd", severity=Severity.MEDIUM, vector="AV:N/AC:L/Au:N/C:P/I:N/A:N", score=5.0),
            Rating(source="osv", severity=Severity.MEDIUM),
        ),
        cwes=("CWE-693",),
        found_by="version, by GitHub Security Advisory pip; version, by Python Packaging Advisory Database",
    )


def test_every_finding_is_there_once_with_its_kind_place_and_severity() -> None:
    seen = [
        (f.kind.value, f.id, f.severity.value, f.target) for f in normalise(read_recorded("bad")).findings
    ]
    wheel = "opt/venv/lib/python3.11/site-packages/Jinja2-2.10.dist-info/METADATA"
    assert seen == [
        ("vulnerability", "CVE-2023-45853", "critical", "debian 12.8"),
        ("vulnerability", "CVE-2022-37434", "medium", "debian 12.8"),
        ("vulnerability", "CVE-2019-10906", "high", wheel),
        ("vulnerability", "CVE-2020-28493", "unknown", wheel),
        ("misconfiguration", "DS-0002", "high", "image configuration"),
        ("secret", "private-key", "high", "/srv/app/key.pem"),
    ]


def test_a_clean_image_has_packages_and_no_findings() -> None:
    assert normalise(read_recorded("clean")) == trivy_report.Content(ecosystems=(DEBIAN, PYPI), findings=())


@pytest.mark.parametrize("family", ["fedora", "centos-stream", "slackware"])
def test_a_system_without_advisories_is_not_judged(family: str) -> None:
    report = read_recorded("clean")
    report["Metadata"]["OS"]["Family"] = family
    system, languages = normalise(report).ecosystems
    why = f"Trivy has no advisories for {family} 12.8"
    assert system == Ecosystem(name=family, version="12.8", is_system=True, packages=1, judged=False, why=why)
    assert languages.judged


@pytest.mark.parametrize(
    ("family", "release"),
    [("debian", "99.1"), ("debian", "trixie/sid"), ("alpine", "3.9.6"), ("redhat", "11.0"), ("centos", "5")],
)
def test_a_release_that_the_database_does_not_have_is_not_judged(family: str, release: str) -> None:
    report = read_recorded("clean")
    report["Metadata"]["OS"] |= {"Family": family, "Name": release}
    system = normalise(report).ecosystems[0]
    assert (system.judged, system.source) == (False, "")
    assert system.why == f"Trivy's database has no advisories for the release {family} {release}"


def test_the_end_of_a_systems_life_is_read() -> None:
    report = read_recorded("clean")
    report["Metadata"]["OS"]["EOSL"] = True
    assert normalise(report).ecosystems == (replace(DEBIAN, end_of_life=True), PYPI)


def test_packages_of_other_vendors_are_not_judged() -> None:
    report = read_recorded("clean")
    report["Results"][0]["Packages"][0]["Repository"] = {"Class": "third-party"}
    system, others, _ = normalise(report).ecosystems
    assert (system.packages, others.packages, others.judged) == (0, 1, False)
    assert str(others) == "debian (other vendors)"


def test_kinds_of_packages_without_advisories_are_not_judged() -> None:
    report = read_recorded("clean")
    report["Results"][1]["Type"] = "conda-pkg"
    languages = normalise(report).ecosystems[1]
    assert not languages.judged
    assert languages.why == "Trivy has no advisories for packages of the kind conda-pkg"
    report["Results"][1]["Type"] = "gobinary"
    assert normalise(report).ecosystems[1].why == "Trivy's database has no advisories for go packages"


def test_an_image_in_which_nothing_was_scanned_has_neither_os_nor_packages() -> None:
    assert normalise(read_recorded("scratch")) == trivy_report.Content(ecosystems=(), findings=())


def test_no_results_at_all_is_nothing_scanned() -> None:
    report = read_recorded("scratch")
    del report["Results"]
    assert normalise(report).ecosystems == ()


def test_the_secret_itself_is_not_in_a_finding() -> None:
    report = read_recorded("bad")
    secret = report["Results"][-1]["Secrets"][0]
    secret["Match"] = secret["Code"]["Lines"][0]["Content"] = "hunter2hunter2"
    assert b"hunter2" not in msgspec.json.encode(normalise(report).findings)


def test_two_secrets_in_one_file_are_two_findings() -> None:
    report = read_recorded("bad")
    secrets = report["Results"][-1]["Secrets"]
    secrets.append(secrets[0] | {"StartLine": 99})
    assert [f.title for f in normalise(report).findings if f.kind is Kind.SECRET] == [
        "Asymmetric Private Key, line 2",
        "Asymmetric Private Key, line 99",
    ]


def test_checks_that_passed_are_not_findings() -> None:
    report = read_recorded("bad")
    report["Results"][2]["Misconfigurations"][0]["Status"] = "PASS"
    assert not [f for f in normalise(report).findings if f.kind is Kind.MISCONFIGURATION]


@pytest.mark.parametrize(
    ("cvss", "score"),
    [
        ({"nvd": {"V3Score": 7.5, "V2Score": 9.9}, "ghsa": {"V3Score": 8.1}}, 8.1),
        ({"nvd": {"V2Score": 5.0}, "redhat": {"V2Score": 6.8}}, 6.8),
        ({"nvd": {"V40Score": 9.3}}, None),
        ({}, None),
    ],
)
def test_score_is_the_highest_v3_else_the_highest_v2(cvss: dict[str, Any], score: float | None) -> None:
    report = read_recorded("bad")
    report["Results"][0]["Vulnerabilities"][0]["CVSS"] = cvss
    assert by_id(normalise(report))["CVE-2023-45853"].cvss == score


@pytest.mark.parametrize("severity", ["", "NEGLIGIBLE", "UNKNOWN"])
def test_a_severity_that_is_not_known_is_unknown(severity: str) -> None:
    report = read_recorded("bad")
    report["Results"][0]["Vulnerabilities"][0]["Severity"] = severity
    assert by_id(normalise(report))["CVE-2023-45853"].severity is Severity.UNKNOWN


def test_a_report_about_another_image_is_refused() -> None:
    with pytest.raises(ScannerError) as caught:
        normalise(read_recorded("clean"), config="sha256:" + "0" * 64)
    assert read_recorded("clean")["Metadata"]["ImageID"] in caught.value.why


def test_a_report_of_another_version_is_refused() -> None:
    with pytest.raises(ScannerError) as caught:
        normalise(read_recorded("clean"), version="0.99.0")
    assert VERSION in caught.value.why and "0.99.0" in caught.value.why


@pytest.mark.parametrize(
    "change",
    [
        {"SchemaVersion": 3},
        {"SchemaVersion": "2"},
        {"ArtifactType": "filesystem"},
        {"Metadata": {}},
        {"Results": {}},
        {"Results": [{"Class": "os-pkgs"}]},
        {"Results": [{"Target": "x", "Vulnerabilities": [{"PkgName": "p"}]}]},
        {"Results": [{"Target": "x", "ExperimentalModifiedFindings": [{"Type": "vulnerability"}]}]},
    ],
    ids=str,
)
def test_a_foreign_report_is_refused(change: dict[str, Any]) -> None:
    report = read_recorded("clean")
    with pytest.raises(ScannerError):
        normalise(report | change, config=report["Metadata"]["ImageID"])


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"null", b"FATAL", b'{"SchemaVersion":2}', b"\xff\xfe", b"[" * 100_000]
)
def test_an_invalid_report_is_refused(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "trivy.json"
    path.write_bytes(raw)
    with pytest.raises(ScannerError):
        trivy_report.read(path, config_digest="", version=VERSION, advisories=ADVISORIES)


@pytest.mark.parametrize("part", [1, 2, 3, 5, 50])
def test_a_truncated_report_is_refused(part: int, tmp_path: Path) -> None:
    raw = (REPORTS / "trivy_bad.json").read_bytes().rstrip()
    path = tmp_path / "trivy.json"
    path.write_bytes(raw[: len(raw) - len(raw) // part] if part > 1 else raw[:-1])
    config = read_recorded("bad")["Metadata"]["ImageID"]
    with pytest.raises(ScannerError):
        trivy_report.read(path, config_digest=config, version=VERSION, advisories=ADVISORIES)


def test_a_missing_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScannerError):
        trivy_report.read(tmp_path / "trivy.json", config_digest="", version=VERSION, advisories=ADVISORIES)
