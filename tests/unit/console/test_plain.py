"""Screens: results for scripts on standard output, progress for people on standard error."""

from __future__ import annotations

import io
import json

from autoclave.console.base import Screen
from autoclave.console.json import JsonScreen
from autoclave.console.plain import PlainScreen
from autoclave.model.verdict import Verdict

CLOSED = Verdict("scan", ("high CVE-2026-1", "nothing was scanned"))


def play(screen: Screen) -> None:
    screen.begin("scan", "app")
    screen.line("scan", "downloading")
    screen.note("scan", "cached")
    screen.warn("scan", "partial database")
    screen.command("trivy image")
    screen.verdict(CLOSED, 1.25, "app")
    screen.verdict(Verdict("build"), 0.5, "app")
    screen.skip("sign", "its record holds")
    screen.result("sha256:1", {"digest": "sha256:1"})
    screen.close()


def test_standard_output_has_only_the_result() -> None:
    out, err = io.StringIO(), io.StringIO()
    play(PlainScreen(out, err))
    assert out.getvalue() == "sha256:1\n"
    said = err.getvalue()
    for part in ("WARNING: partial database", "+ trivy image", "✘ CLOSED app", "✔ passed app", "↷ skipped"):
        assert part in said
    for reason in CLOSED.reasons:
        assert f"- {reason}" in said


def test_every_json_line_is_an_object_with_the_verdict() -> None:
    out = io.StringIO()
    play(JsonScreen(out))
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [each["event"] for each in events] == [
        *("started", "line", "note", "warning", "command", "verdict", "verdict", "skipped", "result")
    ]
    closed, passed = (each for each in events if each["event"] == "verdict")
    assert (closed["step"], closed["passed"], closed["reasons"]) == ("scan", False, list(CLOSED.reasons))
    assert (passed["step"], passed["passed"], passed["reasons"]) == ("build", True, [])
    assert events[-1]["digest"] == "sha256:1"


def test_a_line_break_in_a_tool_s_output_stays_inside_its_json_line() -> None:
    out = io.StringIO()
    JsonScreen(out).line("scan", 'a\nb"\x1b[31m')
    (line,) = out.getvalue().splitlines()
    assert json.loads(line)["text"] == 'a\nb"\x1b[31m'
