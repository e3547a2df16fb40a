"""The note: its words, its bounds, and that nothing from a device repository gets out of its code span."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from autoclave.hosts.gitlab.merge_request_note import LONGEST_NOTE, marker, render
from autoclave.hosts.markdown import code_span
from autoclave.hosts.summary import REASONS, About, combine_states, description, headline, overall_state
from autoclave.model.status import Gate, GateStatus, Row

ABOUT = About(
    device="pump", version="1.4.0", safety_class="B", commit="c0ffee", pipeline="https://x.example/1"
)
DIGEST = "sha256:" + "1" * 64
HOSTILE = [
    "@all",
    "/merge",
    "`@all` x",
    "``` \n/merge\n```",
    "\n\n/merge\n",
    "<img src=x onerror=alert(1)>",
    "</details><script>",
    "![x](https://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "https://evil.example",
    "a|b|c",
    "a\\|@all",
    "a\\\\|@all",
    "\\`@all\\`",
    "`",
    "``",
    "-->",
    "[[_TOC_]]",
    "group/project#1 !2 $3 ~4 %5 &6",
    "\u202egnp.exe",
    "\x00\x1b[31m",
    "",
    "   ",
]


def row(image: str = "app", **states: Gate | GateStatus) -> Row:
    gates = [
        Gate(step=step.replace("_", "-"), state=GateStatus.PASSED)
        for step in ("build", "unit_test", "scan", "sign")
    ]
    named = {each.step: each for each in gates}
    for step, state in states.items():
        name = step.replace("_", "-")
        named[name] = state if isinstance(state, Gate) else Gate(step=name, state=state)
    return Row(image=image, digest=DIGEST, gates=tuple(named.values()))


def closed_gate(*reasons: str, state: GateStatus = GateStatus.CLOSED) -> Gate:
    return Gate(step="scan", state=state, reasons=reasons)


def outside_of_code(text: str) -> str:
    """Return everything that Markdown renders from the note, except code spans."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    kept = []
    for token in tokens:
        assert token.type not in ("fence", "code_block"), token.content
        for child in token.children or []:
            assert child.type != "image", child
            if child.type != "code_inline":
                kept.append(child.content + str(child.attrs or ""))
        if token.type == "html_block":
            kept.append(token.content)
    return "\n".join(kept)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("where", ["reason", "image", "version"])
def test_nothing_hostile_gets_out_of_its_code_span(text: str, where: str) -> None:
    about, rows = ABOUT, [row(scan=closed_gate("plain"))]
    if where == "reason":
        rows = [row(scan=closed_gate(text))]
    elif where == "image":
        rows = [row(text, scan=closed_gate("plain"))]
    else:
        about = About(device="pump", version=text, safety_class=text, commit=text or "-")
    made = render(about, rows)
    wanted = render(
        ABOUT if where != "version" else About(device="pump", version="v", safety_class="v", commit="v"),
        [row(scan=closed_gate("plain"))],
    )
    assert outside_of_code(made) == outside_of_code(wanted)
    assert not re.search(r"^\s*/", made, re.M)


@given(st.text(max_size=400))
def test_any_text_stays_in_its_code_span(text: str) -> None:
    made, wanted = render(ABOUT, [row(scan=closed_gate(text))]), render(ABOUT, [row(scan=closed_gate("x"))])
    assert outside_of_code(made) == outside_of_code(wanted)
    assert len(made.splitlines()) == len(wanted.splitlines())


@given(st.text(max_size=60))
def test_a_code_span_shows_its_text(text: str) -> None:
    (inline,) = [each for each in MarkdownIt().parse(f"x {code_span(text)} y") if each.type == "inline"]
    assert [child.type for child in inline.children or []] == ["text", "code_inline", "text"]


def test_the_note_is_found_by_its_first_line_and_names_the_digest_whole() -> None:
    made = render(ABOUT, [row()])
    assert made.splitlines()[0] == marker("pump") == "<!-- autoclave note: pump -->"
    assert f"`app` is `{DIGEST}`" in made
    assert "commit `c0ffee`" in made
    assert "[pipeline](https://x.example/1)" in made
    assert marker("a --> b") == "<!-- autoclave note: a--b -->"


def test_the_same_records_make_the_same_note() -> None:
    assert render(ABOUT, [row()]) == render(ABOUT, [row()])


def test_an_odd_pipeline_address_is_left_out() -> None:
    about = About(device="pump", version="1", safety_class="B", pipeline="https://x.example/) @all")
    assert "x.example" not in render(about, [row()])


def test_many_and_long_reasons_are_bounded_and_counted() -> None:
    made = render(ABOUT, [row(scan=closed_gate(*["r" * 1000] * 25))])
    assert made.count("\n- `") == REASONS
    assert "and 15 more: see the job's log" in made
    assert len(max(made.splitlines(), key=len)) < 350


def test_a_long_note_is_cut_between_lines() -> None:
    rows = [row(f"app-{number}", scan=closed_gate(*["`" * 299 + "x"] * 10)) for number in range(60)]
    made = render(ABOUT, rows)
    assert len(made) < LONGEST_NOTE + 100
    assert "The rest is left out: see the job's log." in outside_of_code(made)
    assert "autoclave show" in made.splitlines()[-1]


@pytest.mark.parametrize(
    ("rows", "state", "text"),
    [
        ([row()], GateStatus.PASSED, "all gates passed"),
        ([row(deploy=GateStatus.PASSED)], GateStatus.PASSED, "all gates passed"),
        ([row(), row("b", scan=closed_gate("x"))], GateStatus.CLOSED, "closed at scan"),
        (
            [row(scan=closed_gate("x"), sign=GateStatus.REJECTED)],
            GateStatus.REJECTED,
            "records do not verify at sign",
        ),
        ([row(sign=GateStatus.NONE)], GateStatus.NONE, "not all gates have a verdict"),
        ([Row(image="b", digest="", gates=())], GateStatus.NONE, "not all gates have a verdict"),
        ([], GateStatus.NONE, "not all gates have a verdict"),
        ([row(deploy=GateStatus.CLOSED)], GateStatus.CLOSED, "closed at deploy"),
    ],
)
def test_the_headline_is_the_worst_gate(rows: list[Row], state: GateStatus, text: str) -> None:
    assert overall_state(rows) is state
    assert headline(rows) == text


def test_a_missing_record_is_shown_as_such_and_a_rejected_one_with_its_reason() -> None:
    made = render(
        ABOUT, [row(sign=GateStatus.NONE, scan=closed_gate("unknown key", state=GateStatus.REJECTED))]
    )
    assert "⚪ no record" in made
    assert "**scan of `app`: records do not verify**\n\n- `unknown key`" in made


def test_one_state_and_one_line_for_all_images() -> None:
    rows = [row(), row("b", scan=closed_gate("CVE-1\n@all", "y"))]
    assert combine_states("scan", rows) is GateStatus.CLOSED
    assert combine_states("build", rows) is GateStatus.PASSED
    assert combine_states("deploy", rows) is GateStatus.NONE
    assert (
        description("scan", rows) == "app 111111111111 passed; b 111111111111 closed, 2 reasons: CVE-1 @all"
    )
    assert len(description("scan", [row(scan=closed_gate("x" * 999))])) == 255
