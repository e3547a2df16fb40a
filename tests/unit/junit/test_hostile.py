"""A JUnit report comes out of a test container: nothing in it is trusted before it is parsed."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoclave.junit import reader
from autoclave.model.facts import TestFacts

GOOD = b"""<testsuite tests="2"><testcase name="a"/><testcase name="b">
<failure message="m">t</failure></testcase></testsuite>"""

DEFECTS = {
    "no content": (b"", "empty"),
    "not XML": (b"PASSED 5 tests", "not XML"),
    "cut off": (GOOD[:-15], "truncated"),
    "cut off in a tag": (GOOD[:30], "truncated"),
    "something after the end": (GOOD + b"<more/>", "not XML"),
    "document type": (b'<!DOCTYPE testsuite SYSTEM "http://example.org/x.dtd">' + GOOD, "refused"),
    "document type of its own": (b"<!DOCTYPE testsuite [<!ELEMENT testsuite ANY>]>" + GOOD, "refused"),
    "external entity": (
        b'<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuite name="&x;"/>',
        "refused",
    ),
    "entity bomb": (
        b'<!DOCTYPE t [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><testsuite name="&b;"/>',
        "refused",
    ),
    "undeclared entity": (b'<testsuite name="&x;"/>', "not XML"),
    "other root": (b"<html><testsuite/></html>", "root element is <html>"),
    "too deep": (b"<testsuite>" + b"<a>" * 100, "deep"),
    "test in a test": (b"<testsuite><testcase><testcase/></testcase></testsuite>", "a test inside a test"),
    "suite in a test": (b"<testsuite><testcase><testsuite/></testcase></testsuite>", "a suite inside a test"),
    "more promised than held": (
        b'<testsuite name="s" tests="5"><testcase/></testsuite>',
        "says 5 tests, contains 1",
    ),
    "more held than promised": (b'<testsuite tests="0"><testcase/></testsuite>', "says 0 tests, contains 1"),
    "total of all suites": (
        b'<testsuites tests="2"><testsuite><testcase/></testsuite></testsuites>',
        "says 2 tests",
    ),
    "pytest promised, nothing held": (
        b'<testsuites name="pytest tests"><testsuite name="pytest" tests="4"/></testsuites>',
        "says 4 tests, contains 0",
    ),
    "failures gone": (
        b'<testsuite failures="2"><testcase/></testsuite>',
        "says 2 failures or errors, contains none",
    ),
    "total is no number": (b'<testsuite tests="many"/>', "not a number"),
    "negative total": (b'<testsuite tests="-1"/>', "negative"),
    "unknown encoding": (b'<?xml version="1.0" encoding="x-none"?><testsuite/>', "not XML"),
    "endless requirement id": (
        b'<testsuite><testcase requirement="' + b"R" * 101 + b'"/></testsuite>',
        "requirement id",
    ),
    "requirement ids without end": (
        b'<testsuite><testcase requirement="'
        + b",".join(b"%d" % n for n in range(1001))
        + b'"/></testsuite>',
        "more than 1000 requirement ids",
    ),
}


@pytest.mark.parametrize(("content", "says"), DEFECTS.values(), ids=DEFECTS)
def test_an_unusable_report_is_a_defect_that_says_which(content: bytes, says: str) -> None:
    facts = reader.read([content])
    assert says in facts.defect
    assert facts == TestFacts(defect=facts.defect)


def _endless_tag() -> Iterator[bytes]:
    yield b'<testsuite name="'
    for _ in range(1000):
        yield b"x" * 65536
    raise AssertionError("read on for 64 MiB")


def test_a_tag_without_end_stops_early_and_in_little_memory() -> None:
    tracemalloc.start()
    facts = reader.read(_endless_tag())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "single tag" in facts.defect
    assert peak < 16 * 1024 * 1024


def test_long_names_and_messages_are_cut_and_cannot_steer_a_terminal() -> None:
    failure = f'<failure message="&#x9b;31m{"m" * 9000}"/>'
    text = f'<testsuite><testcase name="{"n" * 9000}">{failure}</testcase></testsuite>'
    (case,) = reader.read([text.encode()]).cases
    assert len(case.name) == 500
    assert len(case.message) == 300
    assert case.message.isprintable()


def test_failures_beyond_all_measure_are_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoclave.junit.totals._MOST_KEPT", 10)
    one = b'<testcase name="a"><failure message="m"/></testcase>'
    assert "more than 10 tests" in reader.read([b"<testsuite>", one * 11, b"</testsuite>"]).defect
    assert reader.read([b"<testsuite>", one * 10, b"</testsuite>"]).failed == 10


@given(st.integers(1, len(GOOD) - 1), st.binary(max_size=4))
def test_any_bytes_raise_nothing(cut: int, noise: bytes) -> None:
    facts = reader.read([GOOD[:cut], noise, GOOD[cut:]])
    assert facts.defect or facts.failed <= 1


@given(st.integers(1, 50))
def test_chunks_do_not_matter(size: int) -> None:
    chunks = [GOOD[at : at + size] for at in range(0, len(GOOD), size)]
    assert reader.read(chunks) == reader.read([GOOD])


def _pytest(total: int, count: int) -> list[bytes]:
    head = f'<testsuites><testsuite name="pytest" tests="{total}">'.encode()
    return [head, b'<testcase name="a"/>' * count, b"</testsuite></testsuites>"]


def test_attempts_without_end_are_kept_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoclave.junit.suites._MOST_ATTEMPTS", 10)
    assert reader.read(_pytest(1, 11)).flaky == ("a",)
    assert "says 1 tests, contains 12" in reader.read(_pytest(1, 12)).defect


@pytest.mark.parametrize("key", ["tests", "skipped", "failures"])
@pytest.mark.parametrize("total", ["1" + "0" * 30, "9" * 5000])
def test_totals_beyond_all_measure_are_a_defect(key: str, total: str) -> None:
    assert key in reader.read([f'<testsuite {key}="{total}"><testcase/></testsuite>'.encode()]).defect


def test_what_a_report_says_of_plugins_is_bounded_and_steers_no_terminal() -> None:
    suites = "".join(
        f'<testsuite name="pytest"><properties><property name="pytest-plugins" value="pytest-retry {number}'
        f'&#x9b;31m{"x" * 100}"/></properties><testcase name="a"/></testsuite>'
        for number in range(50)
    )
    hidden = reader.read([f"<testsuites>{suites}</testsuites>".encode()]).hidden_retries
    assert len(hidden) == 20
    assert all(name.isprintable() and len(name) < 60 for name in hidden)
