"""`--json` is a flag of every command, and then standard output has JSON objects alone, a line each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import click
import pytest

from autoclave.cli import main as cli
from autoclave.cli.main import main
from autoclave.context import Context
from autoclave.errors import EngineError

ARGUMENTS = {
    "trust add": ["nowhere.pub"],
    "deploy": ["ward"],
    "rollback": ["ward"],
    "approve": ["ward"],
    "import": ["nowhere.tar"],
    "export": ["nowhere.tar"],
    "database update": ["--from", "none"],
    "tools install": ["nothing-of-this-name"],
}
"""What a command needs at least."""

PRINTS = {"policy init": "wrote", "schema": "$ref", "key kinds": "kind", "manual": "page"}
"""Commands that need no device, and what is in their result."""


def every_command(group: click.Command, words: str = "") -> Iterator[tuple[str, click.Command]]:
    assert isinstance(group, click.Group)
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found
        if isinstance(found, click.Group):
            yield from every_command(found, f"{words}{name} ")
        else:
            yield f"{words}{name}", found


COMMANDS = dict(every_command(cli.program))


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_takes_it(words: str) -> None:
    (flag,) = [each for each in COMMANDS[words].params if each.name == "json"]
    assert "--json" in flag.opts
    assert flag.envvar == "AUTOCLAVE_JSON"


@pytest.mark.parametrize("by_variable", [False, True], ids=["flag", "variable"])
@pytest.mark.parametrize("words", COMMANDS)
def test_standard_output_is_json_lines_whatever_happens(
    words: str,
    by_variable: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In an empty folder without an engine: most commands end with an error, and it is JSON as well."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise EngineError("the engine does not answer")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.setattr(Context, "engine", property(refuse))
    if by_variable:
        monkeypatch.setenv("AUTOCLAVE_JSON", "1")
    code = main([*words.split(), *ARGUMENTS.get(words, []), *([] if by_variable else ["--json"])])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(isinstance(each, dict) and each["event"] for each in lines)
    if code:
        assert lines[-1]["event"] == "error"
        assert lines[-1]["code"] == code
        assert code != 1, lines[-1]
    if words in PRINTS:
        assert code == 0
        assert PRINTS[words] in json.dumps(lines)
