"""What the pages show works: every command and option exists, every link leads somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from autoclave.cli.main import commands, program

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "examples/**/README.md", "setup/**/README.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"  # it names what was removed as well
)
_BLOCK = re.compile(
    r"^(?P<fence> *```+)[^\n]*\n(?P<fenced>.*?)^(?P=fence)$|^(?: {4,}|\t)(?P<indented>.*)$", re.M | re.S
)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_CALL = re.compile(r"(?<![\w./:@=-])autoclave +(?P<words>[a-z-][^\n|&;#`)…<>\"]*)")
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")


def code_of(page: str) -> str:
    """Return everything that a page shows as code, a line each."""
    lines = [each["fenced"] or each["indented"] or "" for each in _BLOCK.finditer(page)]
    return "\n".join(lines + [each[1] for each in _SPAN.finditer(_BLOCK.sub("", page))])


def leaf_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that words call, and the words after it. Raises LookupError."""
    command: click.Command = program
    with click.Context(program) as context:
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            inner = (
                command.get_command(context, words[0]) if words[0] in command.list_commands(context) else None
            )
            if inner is None and command is program:
                raise LookupError(f"autoclave {words[0]}")
            if inner is None:
                break
            command, words = inner, words[1:]
    return command, words


def unknown_options(words: list[str]) -> list[str]:
    """Return the options in a call that its command does not have."""
    command, rest = leaf_of(words)
    with click.Context(command, help_option_names=["-h", "--help"]) as context:
        known = {flag for each in command.get_params(context) for flag in (*each.opts, *each.secondary_opts)}
    given = [each.partition("=")[0] for each in rest if re.match(r"--[a-z]|-[a-zA-Z]$", each)]
    return [each for each in given if each not in known]


def github_anchor(heading: str) -> str:
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def calls_of(page: str) -> list[list[str]]:
    found = []
    for call in _CALL.finditer(code_of(page)):
        try:
            found.append(shlex.split(call["words"]))
        except ValueError:  # a quoted text that goes on elsewhere
            found.append(call["words"].split())
    return [[each.rstrip(",.:") for each in words] for words in found if words]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_on_a_page_exists_with_its_options(page: Path) -> None:
    for words in calls_of(page.read_text("utf-8")):
        assert unknown_options(words) == [], f"autoclave {' '.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_on_a_page_leads_somewhere(page: Path) -> None:
    for link in _LINK.finditer(_BLOCK.sub("", page.read_text("utf-8"))):
        target, _, anchor = link["target"].partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link[0]
        if anchor and file.suffix == ".md":
            text = re.sub(r"^```.*?^```$", "", file.read_text("utf-8"), flags=re.M | re.S)
            headings = re.findall(r"^#+ +(.*)$", text, re.M)
            assert anchor in {github_anchor(each) for each in headings}, link[0]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("    autoclave scan --no-such-option", ["--no-such-option"]),
        ("see `autoclave gitlab note --merge-request 3`", []),
        ("```sh\nautoclave run --environment staging -v\n```", []),
        ("text about autoclave scan --wrong, which is not code", []),
    ],
)
def test_a_wrong_option_on_a_page_is_found(text: str, wrong: list[str]) -> None:
    assert [each for words in calls_of(text) for each in unknown_options(words)] == wrong


def test_an_unknown_command_on_a_page_is_found() -> None:
    (words,) = calls_of("    $ autoclave frobnicate")
    assert words[0] not in commands()
    with pytest.raises(LookupError):
        unknown_options(words)
