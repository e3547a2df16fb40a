"""Grype's JSON and SBOM, recorded from the real scanner, normalised."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from autoclave import tools
from autoclave.errors import ScannerError
from autoclave.model.facts import Database, Exploited, Finding, Prediction, Severity
from autoclave.scanners.grype import report
from autoclave.scanners.grype.database import Advisories, System, find_lack

VERSION = tools.find("grype").tested[-1]
REPORTS = Path(__file__).parents[3] / "fixtures" / "reports"
RECORDED: dict[str, Any] = json.loads((REPORTS / "grype_bad.json").read_bytes())
DIGEST = RECORDED["source"]["target"]["manifestDigest"]
CONFIG = RECORDED["source"]["target"]["imageID"]
DEBIAN = System(name="debian", version="12.8")
USED = Database(updated=datetime(2026, 11, 24, tzinfo=UTC), digest="sha256:1")

Change = Callable[[dict[str, Any]], Any]


def read(tmp_path: Path, change: Change = lambda _: None) -> report.Content:
    changed = json.loads(json.dumps(RECORDED))
    change(changed)
    path = tmp_path / "findings.json"
    path.write_text(json.dumps(changed))
    return report.read(path, digest=DIGEST, config_digest=CONFIG, version=VERSION, system=DEBIAN)


def first(tmp_path: Path, change: Change) -> Finding:
    return read(tmp_path, lambda changed: change(changed["matches"][0])).findings[0]


def test_a_finding_has_the_cve_as_its_id_and_what_each_source_says(tmp_path: Path) -> None:
    finding = next(each for each in read(tmp_path).findings if each.id == "CVE-2020-28493")
    assert (finding.aliases, finding.severity, finding.cwes) == (
        ("GHSA-g3rq-g295-4j3m",),
        Severity.MEDIUM,
        ("CWE-400",),
    )
    assert [(each.source, each.severity, each.score) for each in finding.ratings] == [
        ("github", Severity.MEDIUM, None),
        ("nvd", Severity.MEDIUM, None),
        ("nvd@nist.gov", Severity.MEDIUM, 5.3),
    ]
    assert finding.target == "opt/venv/lib/python3.11/site-packages/Jinja2-2.10.dist-info/METADATA"


def test_packages_are_counted_by_kind_with_the_system(tmp_path: Path) -> None:
    packages = report.read_packages(REPORTS / "grype_bad.cdx.json")
    assert (packages.system, packages.counts) == (DEBIAN, {"python": 1, "deb": 1})
    advisories = Advisories(database=USED, system="", ecosystems=frozenset({"npm"}))
    system, python = report.judge_packages(packages, advisories, is_ended=True)
    assert (system.is_system, system.judged, system.end_of_life) == (True, False, True)
    assert (python.name, python.judged) == ("pypi", False)
    assert "no advisories for packages of the kind python" in python.why


def test_packages_of_a_system_that_was_not_recognised_are_not_judged() -> None:
    packages = report.Packages(system=System(name=""), counts={"deb": 3})
    (system,) = report.judge_packages(packages, Advisories(database=USED), is_ended=False)
    assert (system.name, system.packages, system.judged) == ("unknown", 3, False)


def test_exploitation_is_taken_from_the_scanners_database(tmp_path: Path) -> None:
    def exploit(match: dict[str, Any]) -> None:
        match["relatedVulnerabilities"][0] |= {
            "knownExploited": [
                {"cve": "CVE-2019-10906", "dateAdded": "2026-01-02", "knownRansomwareCampaignUse": ""}
            ],
            "epss": [{"cve": "CVE-2019-10906", "epss": 0.4, "percentile": 0.9, "date": "2026-11-01"}],
        }

    finding = first(tmp_path, exploit)
    assert finding.exploited == Exploited(source="Grype's database", added=date(2026, 1, 2))
    assert finding.prediction == Prediction(0.4, 0.9)


def test_a_severity_below_low_is_low_and_an_unknown_word_unknown(tmp_path: Path) -> None:
    for word, severity in (("Negligible", Severity.LOW), ("Fatal", Severity.UNKNOWN), ("", Severity.UNKNOWN)):
        assert (
            first(tmp_path, lambda match, w=word: match["vulnerability"].update(severity=w)).severity
            is severity
        )


def test_a_vector_that_is_none_is_kept_without_a_score(tmp_path: Path) -> None:
    def spoil(match: dict[str, Any]) -> None:
        match["relatedVulnerabilities"][0]["cvss"] = [{"source": "x", "vector": "CVSS:4.0/" + "A" * 1000}]

    (odd,) = (each for each in first(tmp_path, spoil).ratings if each.vector)
    assert (odd.severity, odd.score, len(odd.vector)) == (Severity.UNKNOWN, None, 300)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda doc: doc["descriptor"].update(version="0.1.0"), "made by grype 0.1.0"),
        (lambda doc: doc["descriptor"].update(name="other"), "made by other"),
        (lambda doc: doc["source"]["target"].update(manifestDigest="sha256:0"), "about image sha256:0"),
        (lambda doc: doc["source"]["target"].update(imageID="sha256:0"), "configuration sha256:0"),
        (lambda doc: doc["source"].update(type="directory"), "about directory"),
        (lambda doc: doc.update(ignoredMatches=[doc["matches"][0]]), "ignored by Grype's own means"),
    ],
)
def test_a_report_about_something_else_or_with_less_in_it_is_refused(
    change: Change, says: str, tmp_path: Path
) -> None:
    with pytest.raises(ScannerError) as caught:
        read(tmp_path, change)
    assert says in caught.value.why


@pytest.mark.parametrize(
    "change",
    [
        lambda doc: doc.pop("matches"),
        lambda doc: doc.pop("source"),
        lambda doc: doc["matches"][0].pop("artifact"),
        lambda doc: doc["matches"][0]["vulnerability"].update(id=7),
    ],
)
def test_a_report_without_its_parts_is_refused(change: Change, tmp_path: Path) -> None:
    with pytest.raises(ScannerError):
        read(tmp_path, change)


@pytest.mark.parametrize("raw", [b"", b"{", b"[" * 200_000, b'{"matches": []'])
def test_a_file_that_is_no_report_is_refused(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "findings.json").write_bytes(raw)
    with pytest.raises(ScannerError):
        report.read(
            tmp_path / "findings.json", digest=DIGEST, config_digest=CONFIG, version=VERSION, system=DEBIAN
        )
    with pytest.raises(ScannerError):
        report.read_packages(tmp_path / "findings.json")


FULL = {"alpine": 1_000, "debian": 10_000, "github": 10_000, "nvd": 100_000, "rhel": 5_000, "ubuntu": 10_000}


def test_a_full_database_has_each_provider_and_its_dates() -> None:
    assert find_lack(FULL, []) == ""
    assert find_lack(FULL | {"debian": 9_999}, []).endswith("has hardly any of debian")
    assert find_lack({}, ["old"]).endswith("hardly any of alpine, debian, github, nvd, rhel, ubuntu")
    assert find_lack(FULL, ["its newest advisory is of 2026-01-01"]) == "its newest advisory is of 2026-01-01"
