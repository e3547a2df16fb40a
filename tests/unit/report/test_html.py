"""The page: whole whatever is known, hostile text escaped, nothing fetched, headings and tables in order."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from autoclave.model.declared import Declared
from autoclave.model.facts import Severity, TestFacts, TracedTest
from autoclave.report.html import cases, group_cases, replace_invisible
from autoclave.report.inputs import Inputs
from autoclave.report.rows import TestLink, TestRow
from builders.sample_facts import SCAN, vulnerability
from builders.sample_report import (
    COMPONENT,
    ENTRY,
    GOOD,
    NOTHING,
    REQUIREMENT,
    RUN,
    html,
    waiver,
    with_evidence,
)

SECTIONS = (
    "identity", "provenance", "timeline", "gates", "requirements", "tests", "findings", "decisions", "soup",
    "sbom", "anomalies", "deployments", "records", "differences", "clauses",
)  # fmt: skip
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "</td></table><h1>PASSED</h1>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "<!--",
    "]]>",
    "\u202egnp.exe",
    "\x00\x1b[31m",
    "&lt;b&gt;",
]


class Page(HTMLParser):
    """The elements of a page, as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def named(self, *names: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag in names]


def hostile(text: str) -> Inputs:
    finding = structs.replace(vulnerability(Severity.HIGH), title=text, target=text, package=text, fixed=text)
    traced = (TracedTest(name=text or "t", outcome="passed", requirements=("SRS-1", text)),)
    ecosystem = structs.replace(SCAN.ecosystems[0], name=text, version="")
    known = with_evidence(
        rejected=((text, text),),
        scans=(structs.replace(SCAN, findings=(finding,), ecosystems=(ecosystem,)),),
        unit_test=structs.replace(
            RUN, report=TestFacts(passed=1, traced=traced, flaky=(text,)), command=(text,)
        ),
        declared=Declared(
            requirements=(structs.replace(REQUIREMENT, text=text, hazard=text),),
            register=(structs.replace(ENTRY, why=text, title=text),),
            previous=text,
        ),
        components=(structs.replace(COMPONENT, name=text, supplier=text),),
        waivers=(waiver("CVE-2026-1", rationale=text),),
    )
    return structs.replace(known, device=text, trust=text, previous_note=text)


def shape(text: str) -> list[str]:
    return [tag for tag, _ in Page(html(hostile(text))).tags]


PLAIN = shape("plain")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_adds_no_element(text: str) -> None:
    assert shape(text) == PLAIN


@settings(max_examples=15)
@given(st.text(min_size=1, max_size=40))
def test_no_text_adds_an_element(text: str) -> None:
    assert Page(f"<p>{html(hostile(text))}").named("script", "img", "iframe", "object", "link") == []


@pytest.mark.parametrize("known", [GOOD, NOTHING, with_evidence(rejected=(("vulns", "bad"),))])
def test_every_section_is_there_with_its_heading(known: Inputs) -> None:
    page = Page(html(known))
    assert tuple(attrs["id"] for attrs in page.named("h2")) == ("verdict", *SECTIONS)
    assert len(page.named("h1")) == 1
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    ids = [attrs["id"] for _, attrs in page.tags if attrs.get("id")]
    assert len(ids) == len(set(ids))
    linked = {str(attrs["href"])[1:] for attrs in page.named("a")}
    assert linked <= set(ids)
    labelled = {name for _, attrs in page.tags for name in str(attrs.get("aria-labelledby") or "").split()}
    assert labelled <= set(ids)


@pytest.mark.parametrize("known", [NOTHING, with_evidence(rejected=(("vulns", "bad"),))])
def test_a_failed_report_says_so_first(known: Inputs) -> None:
    text = html(known)
    assert "<title>FAILED:" in text
    body = text.partition("<body>")[2]
    assert "FAILED" in body
    assert "✓ PASSED" not in body
    assert body.index("FAILED") < body.index("<nav")


def test_tables_have_captions_and_headers_with_scope() -> None:
    page = Page(html())
    assert len(page.named("caption")) == len(page.named("table")) > 15
    assert {attrs.get("scope") for attrs in page.named("th")} == {"col", "row"}
    assert page.named("html")[0]["lang"] == "en"
    assert all(attrs.get("role") == "img" for attrs in page.named("svg"))
    assert len(page.named("title")) == 1 + len(page.named("svg")) == 1 + len(page.named("desc"))


def test_nothing_is_fetched_and_no_script_runs() -> None:
    text = html()
    for forbidden in ("<script", "src=", "@import", "url(http", "<link", "<iframe", "javascript:", "<object"):
        assert forbidden not in text.lower()
    assert "default-src 'none'" in text


def test_only_our_own_anchors_are_links() -> None:
    assert all(str(attrs["href"]).startswith("#") for attrs in Page(html(hostile("javascript:x"))).named("a"))


def test_colours_have_enough_contrast() -> None:
    style = html().partition("<style>")[2].partition("</style>")[0]
    for scheme in re.findall(r":root \{[^}]*\}", style):
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", scheme))
        pairs = [(name, "page") for name in ("ink", "soft", "link")] + [("ink", "band"), ("soft", "band")]
        pairs += [(name, f"{name}-bg") for name in ("good", "bad", "warn")]
        pairs += [("ink", f"{name}-bg") for name in ("good", "bad", "warn")]
        for front, back in pairs:
            assert contrast(colours[front], colours[back]) >= 4.5, (front, back)


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_characters_that_cannot_be_seen_are_shown_as_such() -> None:
    assert replace_invisible("a\u202eb\x00c\nd") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c\nd"
    assert replace_invisible("Ünïcode, fine") == "Ünïcode, fine"


def test_the_cases_of_one_test_are_counted_together() -> None:
    links = [TestLink(image="app", name=f"t::x[{n}]", outcome="passed") for n in range(3)]
    links.append(TestLink(image="app", name="t::x[3]", outcome="failed"))
    assert group_cases(links) == ["t::x: 3 passed", "t::x: failed"]
    rows = [TestRow(name=each.name, image="app", outcome=each.outcome, requirements=("R",)) for each in links]
    assert [(row.name, row.outcome, count) for row, count in cases(rows)] == [
        ("t::x", "passed", 3),
        ("t::x", "failed", 1),
    ]
