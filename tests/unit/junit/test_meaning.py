"""How a test ended is decided from the cases, in whatever words; totals are compared with them."""

from __future__ import annotations

import pytest

from autoclave.junit import reader
from autoclave.junit.writers import WRITERS
from autoclave.model.facts import TestFacts


def read(text: str) -> TestFacts:
    return reader.read([text.encode()])


def counts(facts: TestFacts) -> tuple[int, int, int, int]:
    assert not facts.defect
    return facts.passed, facts.failed, facts.errors, facts.skipped


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        *(
            (word, (1, 0, 0, 0))
            for word in ("run", "completed", "PASSED", "Passed", "pass", "success", "ok", "")
        ),
        *(
            (word, (0, 0, 0, 1))
            for word in ("SKIPPED", "notrun", "not run", "not-run", "Disabled", "pending", "xfail")
        ),
        *((word, (0, 1, 0, 0)) for word in ("failed", "FAIL", "Failure", "xpass", "bfail")),
        *(
            (word, (0, 0, 1, 0))
            for word in ("error", "Timed Out", "crashed", "aborted", "panicked", "undefined")
        ),
    ],
)
@pytest.mark.parametrize("attribute", ["status", "result", "outcome", "state"])
def test_words_in_attributes_count_in_any_case(attribute: str, word: str, outcome: tuple[int, ...]) -> None:
    assert counts(read(f'<testsuite><testcase name="a" {attribute}="{word}"/></testsuite>')) == outcome


def test_a_word_that_nobody_knows_is_refused() -> None:
    facts = read('<testsuite><testcase name="a" status="approved"/></testsuite>')
    assert facts.defect == "test 'a' has status='approved', which is not known to mean that it passed"


@pytest.mark.parametrize("inside", ["<r:failure/>", "<r:error/>", "<r:skipped/>", '<failure xmlns="urn:x"/>'])
def test_prefixes_and_namespaces_change_nothing(inside: str) -> None:
    text = f'<r:testsuite xmlns:r="urn:r"><r:testcase name="a">{inside}</r:testcase></r:testsuite>'
    assert read(text).passed == 0
    assert not read(text).defect


@pytest.mark.parametrize(
    "name", ["Failure", "failed", "internalError", "ignored", "disabled", "pending", "rerun", "retries"]
)
@pytest.mark.parametrize("place", ["<testcase name='a'>{}</testcase>", "<testcase name='a'/>{}"])
def test_an_unknown_element_that_speaks_of_another_end_is_refused(name: str, place: str) -> None:
    assert f"<{name}>" in read(f"<testsuite>{place.format(f'<{name}/>')}</testsuite>").defect


@pytest.mark.parametrize(
    "inside", ["<system-err>failure</system-err>", "<attachment/>", "<steps><step/></steps>"]
)
def test_other_elements_are_passed_over(inside: str) -> None:
    assert counts(read(f'<testsuite><testcase name="a">{inside}</testcase></testsuite>')) == (1, 0, 0, 0)


def test_a_failure_counts_however_deep_it_is() -> None:
    for inside in ("<steps><step><failure/></step></steps>", "<r:wrap xmlns:r='u'><r:failure/></r:wrap>"):
        text = f'<testsuite><testcase name="a">{inside}</testcase></testsuite>'
        assert counts(read(text)) == (0, 1, 0, 0)
    assert "<failed>" in read("<testsuite><testcase><steps><failed/></steps></testcase></testsuite>").defect


def test_a_failure_inside_an_attempt_is_the_attempts() -> None:
    inside = '<flakyFailure message="x"><failure message="inner"/></flakyFailure>'
    facts = read(f'<testsuite><testcase name="a">{inside}</testcase></testsuite>')
    assert (facts.passed, facts.failed, facts.flaky) == (1, 0, ("a",))


def test_a_suite_that_was_skipped_as_a_whole_is_a_skipped_test() -> None:
    assert counts(read('<testsuite name="s"><skipped message="no pump"/></testsuite>')) == (0, 0, 0, 1)


def test_qts_comments_say_skipped_and_fatal() -> None:
    inside = '<!-- message="no pump" type="{}" -->'
    for kind, outcome in {"skip": (0, 0, 0, 1), "qfatal": (0, 0, 1, 0), "qdebug": (1, 0, 0, 0)}.items():
        text = f'<testsuite><testcase name="a">{inside.format(kind)}</testcase></testsuite>'
        assert counts(read(text)) == outcome
    assert (
        read('<testsuite><testcase name="a"><!-- message="no pump" type="skip" --></testcase></testsuite>')
        .cases[0]
        .message
        == "no pump"
    )


def test_the_reason_of_a_suites_error_is_not_hidden_by_its_totals() -> None:
    facts = read('<testsuite name="s" tests="1" errors="1"><error message="class not found"/></testsuite>')
    assert (facts.errors, facts.defect, facts.cases[0].message) == (1, "", "class not found")


def test_totals_of_a_report_with_failures_are_not_compared() -> None:
    facts = read('<testsuite tests="9"><testcase name="a"><failure message="m"/></testcase></testsuite>')
    assert (facts.failed, facts.defect) == (1, "")


@pytest.mark.parametrize("total", ["skipped", "disabled", "skips", "skip", "ignored"])
def test_skipped_tests_that_only_a_total_has_are_counted(total: str) -> None:
    assert counts(read(f'<testsuite tests="3" {total}="2"><testcase name="a"/></testsuite>')) == (1, 0, 0, 2)
    inner = '<testsuite tests="3"><testcase name="a"/></testsuite>'
    assert counts(read(f'<testsuites tests="3" {total}="2">{inner}</testsuites>')) == (1, 0, 0, 2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('<testsuite tests="3" skipped="1"><testcase name="a"/></testsuite>', "says 3 tests, contains 1"),
        ('<testsuite tests="1" skipped="1"><testcase name="a"/></testsuite>', "which tests ran is not known"),
        (
            '<testsuites tests="1"><testsuite tests="2"><testcase name="a"/></testsuite></testsuites>',
            "says 2 tests, contains 1",
        ),
        (
            '<testsuites tests="3" skips="1"><testsuite tests="3"><testcase/></testsuite></testsuites>',
            "says 3 tests, contains 1",
        ),
        ('<testsuites><testsuite tests="2"><testcase name="a"/></testsuite></testsuites>', "says 2 tests"),
        ('<testsuite tests="1" failures="1"><testcase name="a"/></testsuite>', "contains none"),
    ],
)
def test_totals_that_nothing_explains_are_a_defect(text: str, says: str) -> None:
    assert says in read(text).defect


NODE = "".join(
    f"<!-- {key} {number} -->"
    for key, number in {
        "tests": 2,
        "suites": 0,
        "pass": 1,
        "fail": 0,
        "cancelled": 0,
        "skipped": 0,
        "todo": 0,
    }.items()
)


def test_a_total_may_leave_skipped_tests_out() -> None:
    text = '<testsuite tests="1"><testcase name="a"/><testcase name="b"><skipped/></testcase></testsuite>'
    assert counts(read(text)) == (1, 0, 0, 1)
    assert "says 0 tests, contains 2" in read(text.replace('tests="1"', 'tests="0"')).defect


def test_nodes_comments_count_tests_with_steps() -> None:
    text = '<testsuites><testcase name="a" classname="test"/>{}</testsuites>'
    assert counts(read(text.format(NODE))) == (1, 0, 0, 0)
    assert counts(read(text.format(NODE.replace("fail 0", "fail 1")))) == (1, 1, 0, 0)
    assert counts(read(text.format(NODE.replace("cancelled 0", "cancelled 1")))) == (1, 1, 0, 0)
    assert counts(read(text.format(NODE.replace("todo 0", "todo 1")))) == (1, 0, 0, 1)


def test_every_writer_is_cited() -> None:
    assert all(each.source.startswith("https://") for each in WRITERS)
    assert len({each.name for each in WRITERS}) == len(WRITERS)
