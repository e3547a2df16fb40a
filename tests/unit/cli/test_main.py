"""The help of the command line: every command in its group, and no subcommand imported for it."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from autoclave.cli import main as cli


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> str:
    def refused(name: str) -> None:
        raise AssertionError(f"--help imports {name}")

    monkeypatch.setattr(cli, "import_module", refused)
    done = CliRunner().invoke(cli.program, ["--help"], prog_name="autoclave")
    assert done.exit_code == 0, done.output
    return done.output


def test_every_command_is_in_its_group(shown: str) -> None:
    for title, group in cli.groups().items():
        section = shown.partition(f"\n{title}:\n")[2].partition("\n\n")[0]
        assert re.findall(r"^  (\S+)", section, re.MULTILINE) == list(group), title


def test_no_command_is_in_two_groups() -> None:
    assert len(cli.commands()) == sum(len(group) for group in cli.groups().values())


def test_all_groups_share_one_column_of_texts(shown: str) -> None:
    lines = shown.partition("\nSteps:\n")[2].splitlines()
    assert {len(found[0]) for line in lines if (found := re.match(r"  [a-z-]+ +", line))} == {
        2 + max(map(len, cli.commands())) + 2
    }


def test_an_unknown_command_is_answered_with_the_nearest() -> None:
    done = CliRunner().invoke(cli.program, ["depoly"], prog_name="autoclave")
    assert done.exit_code == 2
    assert "there is no command 'depoly'" in done.output
    assert "deploy" in done.output
