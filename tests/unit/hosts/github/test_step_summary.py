"""The summary of a job: tests, findings, the age of the advisories; nothing gets out of its code span."""

from __future__ import annotations

from datetime import timedelta

import pytest
from markdown_it import MarkdownIt
from msgspec.structs import replace

from autoclave.hosts.github.step_summary import LONGEST, Seen, render
from autoclave.hosts.summary import About
from autoclave.model.facts import Severity, TestCase, TestFacts
from autoclave.model.status import Gate, GateStatus, Row
from builders.sample_facts import NOW, SCAN, TESTS, vulnerability

ABOUT = About(device="pump", version="1.4.0", safety_class="B", commit="c0ffee")
ROW = Row(image="app", digest="sha256:" + "1" * 64, gates=(Gate(step="build", state=GateStatus.PASSED),))
HOSTILE = ["`x` @all", "<script>", "![x](https://evil.example)", "a|b", "\n# forged\n", "``` \n@all"]


def summary(*seen: Seen, rows: tuple[Row, ...] = (ROW,)) -> str:
    return render(ABOUT, rows, seen, NOW)


def text_outside_of_code(text: str) -> str:
    tokens = MarkdownIt("commonmark").enable(["table"]).parse(text)
    assert not [each for each in tokens if each.type in {"fence", "code_block", "html_block"}]
    children = [child for each in tokens for child in each.children or []]
    assert not [each for each in children if each.type in {"image", "html_inline"}]
    return "\n".join(each.content for each in children if each.type != "code_inline")


def test_before_anything_ran_there_is_no_table_of_tests_or_findings() -> None:
    text = summary(Seen(image="app"))
    assert "tests of" not in text
    assert "findings of" not in text
    assert "### ⚪ `pump` `1.4.0`: not all gates have a verdict" in text


def test_tests_are_counted_and_failed_ones_named() -> None:
    cases = (
        TestCase(name="t::slow", outcome="failed", message="took 7 s"),
        TestCase(name="t::later", outcome="skipped"),
    )
    text = summary(Seen(image="app", tests=TestFacts(passed=1200, failed=1, skipped=1, cases=cases)))
    assert "| `app` | 1,200 | 1 | 0 | 1 |" in text
    assert "- failed: `t::slow` `took 7 s`" in text
    assert "t::later" not in text


def test_many_failed_tests_are_counted() -> None:
    cases = tuple(TestCase(name=f"t::{number}", outcome="failed") for number in range(30))
    assert "- and 10 more" in summary(Seen(image="app", tests=TestFacts(failed=30, cases=cases)))


def test_a_report_that_cannot_be_used_says_why() -> None:
    text = summary(Seen(image="app", tests=TestFacts(defect="the file is empty")))
    assert "Tests of `app`: `the file is empty`" in text


def test_findings_are_counted_with_the_age_of_the_advisories() -> None:
    database = replace(SCAN.database, updated=NOW - timedelta(hours=30))
    scan = replace(SCAN, database=database, findings=(vulnerability(Severity.HIGH),))
    text = summary(Seen(image="app", scans=(scan,)))
    assert "| `app` | `trivy` | 0 | 1 | 0 | 0 | 0 | 2026-11-23 06:00 UTC, 30 h old |" in text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_hostile_gets_out_of_its_code_span(hostile: str) -> None:
    case = TestCase(name=hostile, outcome="failed", message=hostile)
    seen = Seen(image=hostile, tests=TestFacts(failed=1, cases=(case,)), scans=(SCAN,))
    broken = Seen(image=hostile, tests=TestFacts(defect=hostile))
    row = replace(ROW, image=hostile, gates=(Gate(step="scan", state=GateStatus.CLOSED, reasons=(hostile,)),))
    outside = text_outside_of_code(summary(seen, broken, rows=(row,)))
    for word in ("@all", "script", "evil", "forged"):
        assert word not in outside


def test_it_is_never_longer_than_github_accepts() -> None:
    cases = tuple(TestCase(name="x" * 900, outcome="failed", message="€" * 900) for _ in range(20))
    seen = [Seen(image=f"i{n}", tests=TestFacts(failed=20, cases=cases)) for n in range(200)]
    text = render(ABOUT, [ROW], seen, NOW)
    assert len(text) <= LONGEST
    assert len(text.encode()) < 1 << 20
    assert "The rest is left out" in text


def test_passed_tests_of_the_records_are_shown() -> None:
    assert "| `app` | 3 | 0 | 0 | 0 |" in summary(Seen(image="app", tests=TESTS.report))
