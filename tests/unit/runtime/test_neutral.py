"""What a tool or a container prints steers no terminal and no host's log, and takes bounded memory."""

from __future__ import annotations

import io
import json
import sys
import time

import pytest
from rich.console import Console

from autoclave.cli import main
from autoclave.console.base import Screen
from autoclave.console.json import JsonScreen
from autoclave.console.live import LiveScreen
from autoclave.console.plain import PlainScreen
from autoclave.errors import BuildFailed
from autoclave.hosts.gitlab.console import GitLabScreen
from autoclave.junit import writer
from autoclave.model.verdict import Verdict
from autoclave.runtime.neutral import LONGEST_LINE, cut, neutralise, neutralise_lines, split_lines
from autoclave.runtime.redact import Mask
from autoclave.runtime.shell import Shell

STEERING = [
    "\x1b[2K\x1b[1A",
    "a\rb",
    "\x1b]0;title\x07",
    "\x9b2J",
    "\x1b[0Ksection_start:1700000000:fake\r\x1b[0K",
    "\x1b[8mha:////4AAAAA==\x1b[0m",
    "\u202eevil\u2066",
    "##[error]no",
    "##vso[task.complete result=Succeeded]",
    "##teamcity[buildStop]",
    "::set-output name=a::b",
    "  ::error::b",
    "a\x08\x08b\x7f",
    "a\u2028b\x85c",
    "name\udc9b",
]
ALLOWED = {"\t", "\n"}


def is_neutral(text: str) -> bool:
    return (
        all(each.isprintable() or each in ALLOWED or each in "\xa0\u3000" for each in text)
        and "##[" not in text
        and "##vso[" not in text
        and not any(line.strip().startswith("::") for line in text.split("\n"))
    )


@pytest.mark.parametrize("text", STEERING)
def test_what_steers_becomes_visible(text: str) -> None:
    shown = neutralise(text)
    assert is_neutral(shown)
    assert neutralise(shown) == shown
    assert "\n" not in neutralise(f"a\n{text}")
    assert neutralise_lines(f"a\n{text}").split("\n")[0] == "a"


@pytest.mark.parametrize("text", ["Prüfung: 5 µg/ml ✔", "a\tb", "test::name[1]", "# [x]", "日本語", "👩‍⚕️"])
def test_ordinary_text_stays(text: str) -> None:
    assert neutralise(text) == text


def play(screen: Screen, text: str) -> None:
    screen.begin("scan", text)
    screen.line("scan", text)
    screen.note("scan", text)
    screen.warn("scan", text)
    screen.command(text)
    screen.verdict(Verdict("scan", (text,)), 1.0, text)
    screen.skip("sign", text)
    screen.result(text, {"text": text})
    screen.close()


@pytest.mark.parametrize("text", STEERING)
@pytest.mark.parametrize("kind", [PlainScreen, GitLabScreen])
def test_no_line_of_a_log_steers(text: str, kind: type[PlainScreen]) -> None:
    out, err = io.StringIO(), io.StringIO()
    play(kind(out, err), text)
    own = "\x1b[0Ksection_"  # the screen's own marks
    lines = [line for line in err.getvalue().split("\n") if not line.startswith(own)]
    assert is_neutral("\n".join(lines) + out.getvalue())


@pytest.mark.parametrize("text", STEERING)
def test_no_line_on_a_terminal_steers(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    play(LiveScreen(Console(file=out, width=200, color_system=None, force_terminal=False)), text)
    assert is_neutral(out.getvalue() + capsys.readouterr().out)


@pytest.mark.parametrize("text", STEERING)
def test_json_is_exact_and_steers_nothing(text: str) -> None:
    out = io.StringIO()
    play(JsonScreen(out), text)
    assert out.getvalue().isascii()
    assert is_neutral(out.getvalue())
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert all(each["text"] == text for each in lines)


@pytest.mark.parametrize("text", STEERING)
@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_no_error_steers(
    text: str, option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*args: object, **more: object) -> None:
        raise BuildFailed(text, why=f"{text}\n{text}", next=text)

    monkeypatch.setattr(main.program, "main", fail)
    assert main.main(["build", option]) == BuildFailed.code
    printed = capsys.readouterr()
    assert is_neutral(printed.out + printed.err)


@pytest.mark.parametrize("text", STEERING)
def test_no_gate_s_report_steers(text: str) -> None:
    assert is_neutral(writer.write([Verdict("scan", (text,))]).decode())


def test_lines_are_split_wherever_chunks_end() -> None:
    text = b"one\ntwo\r\n\nthree"
    for size in range(1, len(text) + 1):
        chunks = [text[start : start + size] for start in range(0, len(text), size)]
        assert list(split_lines(chunks)) == [b"one", b"two", b"", b"three"]


def test_a_line_without_an_end_takes_bounded_memory_and_time() -> None:
    started = time.process_time()
    (line,) = split_lines(b"x" * 65536 for _ in range(1600))  # 100 MiB
    assert time.process_time() - started < 2
    assert len(line) < 50_000
    assert b"bytes more" in line
    assert len(cut(line.decode())) < LONGEST_LINE + 100


def test_a_secret_at_the_end_of_a_long_line_is_masked() -> None:
    for start in range(LONGEST_LINE - 20, LONGEST_LINE + 2):
        shown = Shell(mask=Mask(["swordfish"])).readable(b"x" * start + b"swordfish" * 2)
        assert "sword" not in shown


def test_a_child_that_keeps_the_pipe_open_does_not_block() -> None:
    code = (
        "import subprocess, sys; "
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(30)'], start_new_session=True); "
        "print('done')"
    )
    lines: list[str] = []
    started = time.monotonic()
    assert Shell().stream([sys.executable, "-c", code], lines.append) == 0
    assert lines == ["done"]
    assert time.monotonic() - started < 20
