"""Findings as SARIF for code scanning: what GitHub reads of it, and its limits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from autoclave.hosts.github.code_scanning import MOST_RESULTS, MOST_RUNS, render
from autoclave.model.facts import Finding, Kind, ScanFacts, Severity
from builders.sample_facts import SCAN, vulnerability


def scan(*findings: Finding) -> ScanFacts:
    return replace(SCAN, findings=findings)


def run_of(*findings: Finding, image: str = "pump") -> dict[str, Any]:
    (run,) = json.loads(render([(image, scan(*findings))]))["runs"]
    return dict(run)


def test_each_image_and_scanner_is_a_run_with_its_own_category() -> None:
    facts = scan(vulnerability(Severity.HIGH))
    scanned = [("pump", facts), ("pump", replace(facts, scanner="grype")), ("screen", facts)]
    runs = json.loads(render(scanned))["runs"]
    found = [each["automationDetails"]["id"] for each in runs]
    assert found == ["autoclave/pump/trivy/", "autoclave/pump/grype/", "autoclave/screen/trivy/"]


def test_a_clean_image_is_a_run_without_results() -> None:
    assert run_of()["results"] == []


@pytest.mark.parametrize(
    ("severity", "level", "score"),
    [
        (Severity.CRITICAL, "error", "9.5"),
        (Severity.HIGH, "error", "8.0"),
        (Severity.MEDIUM, "warning", "5.5"),
        (Severity.LOW, "note", "2.0"),
        (Severity.UNKNOWN, "warning", None),
    ],
)
def test_severities_are_those_that_github_shows(severity: Severity, level: str, score: str | None) -> None:
    run = run_of(replace(vulnerability(severity), cvss=None))
    assert run["results"][0]["level"] == level
    assert run["tool"]["driver"]["rules"][0]["properties"].get("security-severity") == score


def test_a_score_is_used_where_there_is_one() -> None:
    run = run_of(replace(vulnerability(Severity.HIGH), cvss=7.25))
    assert run["tool"]["driver"]["rules"][0]["properties"]["security-severity"] == "7.2"


def test_results_of_one_rule_share_it() -> None:
    one = vulnerability(Severity.HIGH)
    run = run_of(one, replace(one, target="other"), replace(one, id="CVE-2"))
    assert [each["id"] for each in run["tool"]["driver"]["rules"]] == [one.id, "CVE-2"]
    assert [each["ruleIndex"] for each in run["results"]] == [0, 0, 1]
    prints = [each["partialFingerprints"]["primaryLocationLineHash"] for each in run["results"]]
    assert len(set(prints)) == 3


@pytest.mark.parametrize(
    ("target", "uri"),
    [
        ("usr/lib/app.jar", "pump/usr/lib/app.jar"),
        ("/etc/passwd", "pump/etc/passwd"),
        ("../../etc/passwd", "pump/etc/passwd"),
        ("https://evil.example/x", "pump/https%3A/evil.example/x"),
        ("a b?c#d%e", "pump/a%20b%3Fc%23d%25e"),
        ("", "pump"),
    ],
)
def test_a_place_is_a_relative_address_below_the_image(target: str, uri: str) -> None:
    run = run_of(replace(vulnerability(Severity.HIGH), target=target))
    place = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert place == uri


def test_no_title_is_a_link() -> None:
    run = run_of(replace(vulnerability(Severity.HIGH), title="[x](https://evil.example)"))
    assert r"\[x\](https://evil.example)" in run["results"][0]["message"]["text"]


def test_an_address_that_is_not_one_of_the_web_is_left_out() -> None:
    run = run_of(replace(vulnerability(Severity.HIGH), url="javascript:alert(1)"))
    assert "helpUri" not in run["tool"]["driver"]["rules"][0]


def test_a_secret_is_named_without_a_package() -> None:
    secret = Finding(
        id="aws-key", kind=Kind.SECRET, severity=Severity.CRITICAL, title="AWS key", target="app/.env"
    )
    text = run_of(secret)["results"][0]["message"]["text"]
    assert text == "critical aws-key in image pump. app/.env. AWS key"


def test_the_most_severe_are_kept_of_more_than_github_shows() -> None:
    low = [replace(vulnerability(Severity.LOW), id=f"CVE-{number}") for number in range(MOST_RESULTS)]
    run = run_of(*low, vulnerability(Severity.CRITICAL))
    assert len(run["results"]) == MOST_RESULTS
    assert run["results"][0]["level"] == "error"


def test_a_file_has_no_more_runs_than_github_accepts() -> None:
    scanned = [(f"image-{number}", scan()) for number in range(MOST_RUNS + 1)]
    assert len(json.loads(render(scanned))["runs"]) == MOST_RUNS
