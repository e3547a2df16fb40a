"""Reports of other tools: every failing result is a finding; a run that is not whole is no clean report."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autoclave.errors import ScannerError
from autoclave.model.digest import digest_of
from autoclave.model.facts import Finding, Kind, Severity
from autoclave.scanners import sarif

RULES = [
    {
        "id": "c/overflow",
        "shortDescription": {"text": "buffer overflow"},
        "defaultConfiguration": {"level": "error"},
        "helpUri": "https://rules.example.org/c/overflow",
    },
    {"id": "c/style"},
    {"id": "c/injection", "properties": {"security-severity": "9.8"}},
]


def result(**changes: Any) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": "src/pump%20head.c"}, "region": {"startLine": 12}}
    found = {
        "ruleId": "c/overflow",
        "message": {"text": "dose[8] is outside of dose\nmore"},
        "locations": [{"physicalLocation": place}],
    }
    return {key: value for key, value in (found | changes).items() if value is not None}


def log(*results: dict[str, Any], run: dict[str, Any] | None = None, **changes: Any) -> bytes:
    tool = {"driver": {"name": "Checker", "semanticVersion": "2.1", "rules": RULES}}
    made = {"tool": tool, "results": list(results)} | (run or {})
    text = {"version": "2.1.0", "runs": [{k: v for k, v in made.items() if v is not None}]} | changes
    return json.dumps(text).encode()


def read(raw: bytes, *, block: tuple[Severity, ...] = (), commit: str = "") -> sarif.Content:
    return sarif.read(raw, path="out.sarif", tool="Checker", block=frozenset(block), commit=commit)


def test_a_result_is_a_finding_with_its_place_rule_and_severity() -> None:
    raw = log(result())
    done = read(raw, block=(Severity.HIGH,))
    assert done.findings == (
        Finding(
            id="c/overflow", kind=Kind.ANALYSIS, severity=Severity.HIGH, title="dose[8] is outside of dose",
            target="src/pump head.c:12", package="src/pump head.c", found_by="Checker", blocks=True,
            url="https://rules.example.org/c/overflow",
        ),
    )  # fmt: skip
    report = done.report
    assert (report.tool, report.version, report.digest, report.findings) == (
        "Checker",
        "2.1",
        digest_of(raw),
        1,
    )


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({}, Severity.HIGH),
        ({"level": "note"}, Severity.LOW),
        ({"level": "none"}, Severity.UNKNOWN),
        ({"ruleId": "c/style"}, Severity.MEDIUM),
        ({"ruleId": "c/injection", "level": "note"}, Severity.CRITICAL),
        ({"ruleId": "c/overflow/2"}, Severity.HIGH),
        ({"ruleId": "unknown"}, Severity.MEDIUM),
        ({"ruleId": None, "ruleIndex": 0}, Severity.HIGH),
        ({"ruleId": None, "rule": {"index": 2}}, Severity.CRITICAL),
        ({"ruleId": None, "ruleIndex": 99}, Severity.MEDIUM),
    ],
)
def test_severity_is_the_rules_score_else_the_level_of_result_or_rule(
    changes: dict[str, Any], severity: Severity
) -> None:
    (found,) = read(log(result(**changes))).findings
    assert found.severity is severity
    assert found.id


def test_what_the_tool_suppressed_in_the_source_is_a_finding_all_the_same() -> None:
    assert read(log(result(suppressions=[{"kind": "inSource", "status": "accepted"}]))).findings


@pytest.mark.parametrize(
    "changes",
    [{"kind": "pass"}, {"kind": "notApplicable"}, {"kind": "informational"}, {"baselineState": "absent"}],
)
def test_what_is_no_failure_is_no_finding(changes: dict[str, Any]) -> None:
    assert read(log(result(**changes))).findings == ()


@pytest.mark.parametrize("changes", [{"kind": "open"}, {"kind": "review"}, {"baselineState": "unchanged"}])
def test_what_a_person_has_to_look_at_is_a_finding(changes: dict[str, Any]) -> None:
    assert read(log(result(**changes))).findings


def failed(**changes: Any) -> dict[str, Any]:
    return {"invocations": [{"executionSuccessful": True} | changes]}


CONTROL = [{"repositoryUri": "https://git.example.org/pump", "revisionId": "2" * 40}]


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "is not SARIF"),
        (b"[" * 100_000, "is not SARIF"),
        (b'{"version": "2.1.0"}', "is not SARIF"),
        (log(version="2.0.0"), "is not SARIF"),
        (log(result(level="fatal")), "is not SARIF"),
        (log(result(kind="FAIL")), "is not SARIF"),
        (log(result(kind="passed")), "is not SARIF"),
        (log(result(baselineState="Absent")), "is not SARIF"),
        (log()[:-3], "is not SARIF"),
        ('{"version": "2.1.0", "runs": []}'.encode("utf-16"), "is not SARIF"),
        (log(runs=[]), "is empty"),
        (log(run={"results": None}), "is not whole"),
        (log(run={"externalPropertyFileReferences": {"results": [{"itemCount": 1}]}}), "is not whole"),
        (log(inlineExternalProperties=[{"results": []}]), "is not whole"),
        (log(run={"tool": {"driver": {"name": "Other"}}}), "is another tool's"),
        (log(run=failed(executionSuccessful=False)), "run that failed"),
        (log(run=failed(toolExecutionNotifications=[{"level": "error", "message": {}}])), "failed"),
        (log(run={"versionControlProvenance": CONTROL}), "another commit"),
    ],
)  # fmt: skip
def test_a_report_that_says_less_than_it_seems_is_refused(raw: bytes, what: str) -> None:
    with pytest.raises(ScannerError) as caught:
        read(raw, commit="1" * 40)
    assert what in caught.value.what


def test_more_results_than_a_person_reads_are_refused() -> None:
    one = json.dumps(result())
    raw = log().replace(b'"results": []', f'"results": [{",".join([one] * 100_001)}]'.encode())
    with pytest.raises(ScannerError) as caught:
        read(raw)
    assert "too large" in caught.value.what


def test_equal_results_are_one_finding() -> None:
    assert len(read(log(result(), result(), result(ruleId="c/style"))).findings) == 2


def test_a_byte_order_mark_is_skipped_and_escapes_are_neutral() -> None:
    hostile = result(ruleId="r\x1b[2J", message={"text": "a\x1b]0;b\x07"})
    hostile["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] = "a%1b%0d%00b"
    (found,) = read(b"\xef\xbb\xbf" + log(hostile)).findings
    assert all(text.isprintable() for text in (found.id, found.title, found.target, found.package))


@pytest.mark.parametrize("score", ["nan", "inf", "-1", "1e9", "high", [], None])
def test_a_score_that_is_none_leaves_the_level(score: object) -> None:
    rules = [{"id": "c/overflow", "properties": {"security-severity": score}}]
    (found,) = read(
        log(result(level="error"), run={"tool": {"driver": {"name": "Checker", "rules": rules}}})
    ).findings
    assert found.severity is Severity.HIGH
