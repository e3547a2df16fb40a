"""Predicates: the facts come back as they were, and what does not fit is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace

from autoclave.errors import RecordError
from autoclave.evidence import predicates, statement
from autoclave.evidence.statement import DEPLOYMENT, PROVENANCE, TEST_RESULT, VULNS
from autoclave.model.facts import (
    BuildFacts,
    Deployment,
    Finding,
    Kind,
    RequirementCount,
    Running,
    ScanFacts,
    Severity,
    TestCase,
    TestFacts,
    TestRun,
)
from builders.sample_facts import BUILD, DIGEST, SCAN, STEP_INFO, TESTS, THEN, vulnerability

INFO = replace(STEP_INFO, step="scan", safety_class="C", passed=False, reasons=("no",))
SECRET = Finding(id="key", kind=Kind.SECRET, severity=Severity.LOW, title="a key", target="/k")
FOUND = replace(SCAN, findings=(replace(vulnerability(Severity.HIGH), cvss=9.1, aliases=("G",)), SECRET))
RAN = replace(
    TESTS,
    exit_code=1,
    report=TestFacts(
        passed=1,
        failed=1,
        cases=(TestCase(name="t::a", outcome="failed", message="no", requirements=("R-1",)),),
        requirements={"R-1": RequirementCount(0, 1, 0)},
    ),
)
RUNS = Deployment(
    environment="staging",
    place="engine tcp://lab-1:2376",
    target="docker",
    running=(Running(image="app", digest=DIGEST, container=DIGEST, healthy=True, inputs=DIGEST),),
    started=THEN,
    finished=THEN,
)
ALL: list[tuple[str, Struct, Callable[[], dict[str, Any]]]] = [
    (PROVENANCE, BUILD, lambda: predicates.provenance(INFO, BUILD, {"target": ""})),
    (TEST_RESULT, RAN, lambda: predicates.test_result(INFO, RAN)),
    (VULNS, FOUND, lambda: predicates.vulns(INFO, FOUND)),
    (DEPLOYMENT, RUNS, lambda: predicates.deployment(INFO, RUNS)),
]


@pytest.mark.parametrize(("kind", "facts", "make"), ALL)
def test_facts_and_making_come_back_as_they_were(
    kind: str, facts: Struct, make: Callable[[], dict[str, Any]]
) -> None:
    parsed = statement.parse(statement.make(DIGEST, kind, make()))
    assert predicates.facts_of(parsed, type(facts)) == facts
    assert statement.info(parsed) == INFO
    assert statement.finish_time(parsed) == THEN


def test_the_standard_fields_say_the_same() -> None:
    tests = predicates.test_result(INFO, RAN)
    assert (tests["result"], tests["failedTests"]) == ("FAILED", ["t::a"])
    (result,) = predicates.vulns(INFO, FOUND)["scanner"]["result"]  # the secret is in the facts alone
    assert result["id"] == "CVE-2026-1"
    assert [each["score"] for each in result["severity"]] == ["high", "9.1"]


@pytest.mark.parametrize("kind", [BuildFacts, ScanFacts, TestRun])
def test_facts_of_another_kind_are_refused(kind: type[Struct]) -> None:
    parsed = statement.parse(statement.make(DIGEST, DEPLOYMENT, predicates.deployment(INFO, RUNS)))
    with pytest.raises(RecordError, match="not of the expected form"):
        predicates.facts_of(parsed, kind)


def spoilt(kind: str, body: dict[str, Any], old: str, new: str) -> statement.Statement:
    raw = statement.make(DIGEST, kind, body)
    assert old.encode() in raw
    return statement.parse(raw.replace(old.encode(), new.encode()))


def test_a_time_without_a_zone_is_refused_and_never_compared() -> None:
    body = predicates.vulns(INFO, SCAN)
    stamp = msgspec.json.encode(THEN).decode()
    parsed = spoilt(VULNS, body, stamp, stamp.replace("Z", ""))
    with pytest.raises(RecordError, match="not of the expected form"):
        predicates.facts_of(parsed, ScanFacts)
    at = '"finishedOn":' + stamp
    with pytest.raises(RecordError, match="how it was made"):
        statement.finish_time(spoilt(VULNS, body, at, at.replace("Z", "")))


def test_a_statement_of_another_version_is_refused() -> None:
    raw = statement.make(DIGEST, VULNS, {}).replace(b"Statement/v1", b"Statement/v2")
    with pytest.raises(RecordError, match="another version"):
        statement.parse(raw)


@pytest.mark.parametrize("digest", ["sha256:" + "1" * 63, "sha256:" + "2" * 64, "1" * 63 + "0"])
def test_a_statement_is_about_its_digest_alone(digest: str) -> None:
    parsed = statement.parse(statement.make(DIGEST, VULNS, {}, commit="1" * 40))
    assert statement.is_about(parsed, DIGEST)
    assert not statement.is_about(parsed, digest)
    assert not statement.is_about(parsed, "1" * 40)
