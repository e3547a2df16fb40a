"""The log of a GitHub job: only our own lines are commands, whatever tools print."""

from __future__ import annotations

import io
import re

import pytest

from autoclave.hosts.github.console import GitHubScreen
from autoclave.model.verdict import Verdict

# What the runner takes for a command: at the beginning of a line, or `##[` anywhere (its ActionCommand.cs).
COMMAND = re.compile(r"^\s*::\s*([A-Za-z-]+)|##\[([a-z-]+)", re.MULTILINE)
HOSTILE = [
    "::add-mask::x",
    "  ::set-env name=LD_PRELOAD::/tmp/x.so",
    "\u00a0::stop-commands::x",
    "x ##[add-path]/tmp",
    "##[command]x",
    "a\n::error::forged",
    "a\r::error::forged",
    "%0A::error::forged",
    "\u2028::error::forged",
]


def printed(*lines: str) -> str:
    err = io.StringIO()
    screen = GitHubScreen(err=err)
    for line in lines:
        screen.line("build", line)
    screen.close()
    return err.getvalue()


def commands(text: str) -> list[str]:
    return [one or other for one, other in COMMAND.findall(text)]


def test_output_of_tools_is_one_group() -> None:
    assert commands(printed("one", "two")) == ["group", "endgroup"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_line_of_a_tool_is_a_command(text: str) -> None:
    assert commands(printed(text)) == ["group", "endgroup"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_reason_ends_its_annotation(text: str) -> None:
    err = io.StringIO()
    screen = GitHubScreen(err=err)
    screen.warn("scan", text)
    screen.verdict(Verdict(gate="scan", reasons=(text, text)), 1.0, text)
    assert commands(err.getvalue()) == ["warning", "error"]


def test_a_closed_gate_is_an_annotation_with_its_reasons() -> None:
    err = io.StringIO()
    GitHubScreen(err=err).verdict(Verdict(gate="scan", reasons=("50% of it, here: bad",)), 1.0, "pump")
    assert err.getvalue().splitlines()[-1] == (
        "::error title=autoclave scan::CLOSED pump%0A- 50%25 of it, here: bad"
    )


def test_a_passed_gate_is_none() -> None:
    err = io.StringIO()
    GitHubScreen(err=err).verdict(Verdict(gate="scan", reasons=()), 1.0, "pump")
    assert commands(err.getvalue()) == []
