"""Pieces of the Jenkins side that need no server: names, configurations, descriptions, the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoclave.errors import HostError, UsageError
from autoclave.hosts.jenkins import build_description as report
from autoclave.hosts.jenkins import names, permissions, plugins
from autoclave.hosts.jenkins.job_config import JobSpec, job
from autoclave.hosts.jenkins.xml import diff, is_same, read, set_text, write
from autoclave.hosts.summary import REASONS, About
from autoclave.model.status import Gate, GateStatus, Row

ROOT = Path(__file__).resolve().parents[4]
ABOUT = About(device="pump", version="1", safety_class="B")


def row(*reasons: str, image: str = "app") -> Row:
    gates = (Gate(step="scan", state=GateStatus.CLOSED, reasons=reasons),)
    return Row(image=image, digest="sha256:" + "1" * 64, gates=gates)


@pytest.mark.parametrize("name", ["pump", "devices/pump 2", "/devices/pump/", "Gerät"])
def test_item_names_are_accepted(name: str) -> None:
    assert names.item(name) == name.strip("/")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "a/../b",
        "a/ b",
        "a?",
        "a%2f",
        "a\\b",
        "a;b",
        "a:b",
        "[a]",
        "a.",
        "a\x00",
        "a\u202eb",
        "a" * 201,
    ],
)
def test_names_that_jenkins_or_people_would_trip_over(name: str) -> None:
    with pytest.raises(UsageError):
        names.item(name)


@pytest.mark.parametrize(
    "url", ["https://h/p.git", "ssh://git@h:22/p.git", "git@h:devices/p.git", "file:///p"]
)
def test_repository_addresses_are_accepted(url: str) -> None:
    assert names.remote(url) == url


def test_a_token_as_user_is_refused_as_well_as_a_password() -> None:
    with pytest.raises(UsageError) as caught:
        names.remote("https://glpat-secret@git.example.com/p.git")
    assert "secret" not in caught.value.what + caught.value.why + caught.value.next


@given(st.text())
def test_every_text_comes_through_xml_as_it_went_in_or_is_refused(text: str) -> None:
    try:
        names.parameter(f"A={text}")
    except UsageError:
        return
    root = read(write(job(None, JobSpec(git_url="u", branch="b", script="s", parameters=(("A", text),)))))
    assert (root.findtext("properties/*/parameterDefinitions/*/defaultValue") or "") == text


def test_xml_1_1_is_read_and_blanks_between_elements_are_no_difference() -> None:
    one = read("<?xml version='1.1' encoding='UTF-8'?>\n<a>\n  <b/>\n  <c>x</c>\n</a>")
    other = read("<a><b></b><c>x</c></a>")
    assert is_same(one, other)
    set_text(other, "c", "y ")
    assert not is_same(one, other)
    assert "+  <c>y </c>" in diff(one, other, "a")


@pytest.mark.parametrize("text", ["", "<a>", "<!DOCTYPE a><a/>", "<a>&x;</a>", "Not Found"])
def test_an_invalid_configuration_is_refused(text: str) -> None:
    with pytest.raises(HostError):
        read(text)


def test_a_terminal_is_not_steered_by_a_difference() -> None:
    before = read("<a><b>x</b></a>")
    after = read("<a><b>\u202e\u009b</b></a>")
    assert "\\u202e\\u009b" in diff(before, after, "a")


# ---- descriptions


@pytest.mark.parametrize("write_it", [report.text, report.html])
def test_our_part_is_replaced_and_nothing_else(write_it: object) -> None:
    make = report.text if write_it is report.text else report.html
    one, two = make(ABOUT, [row("CVE-1 (autoclave show). <b>")]), make(ABOUT, [row("CVE-2")])
    around = f"before\n\n{one}\nafter (autoclave show)."
    assert report.merge(around, two) == f"before\n\n{two}\nafter (autoclave show)."
    assert report.merge(report.merge("", one), one) == one
    assert report.merge("theirs", one) == f"theirs\n\n{one}"


@given(st.text(max_size=80), st.text(max_size=80))
def test_html_has_no_tags_but_ours(reason: str, image: str) -> None:
    import re

    tags = set(re.findall(r"<[^>]*>?", report.html(ABOUT, [row(reason, image=image)])))
    ours = {"h4", "p", "table", "tr", "th", "td", "b", "code", "ul", "li"}
    assert tags <= {f"<{each}>" for each in ours} | {f"</{each}>" for each in ours} | {"<table border=1>"}


def test_a_description_has_an_end_however_long_it_gets() -> None:
    rows = [
        row(*(f"CVE-{number} {'x' * 280}" for number in range(50)), image=f"i{each}") for each in range(60)
    ]
    for make in (report.text, report.html):
        text = make(ABOUT, rows)
        assert len(text) <= report.LONGEST
        assert "left out" in text
        assert report.merge(text, "new") == "new"
    assert f"and {50 - REASONS} more" in report.text(ABOUT, rows[:1])


# ---- the page


def test_the_page_says_what_the_code_says() -> None:
    page = (ROOT / "docs" / "jenkins-server.md").read_text("utf-8")
    assert permissions.table() in page
    for each in plugins.WANTED:
        version = f"newer than {each.above}" if each.above else "any"
        assert f"| `{each.name}` | {each.why} | {version} | {'no' if each.optional else 'yes'} |" in page
