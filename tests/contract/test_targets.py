"""A target closes no gate: facts go up from it, no callable goes down to it."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from pathlib import Path

import pytest

from autoclave import targets
from autoclave.cli.commands import schema

ROOM = Path(targets.__file__).parent
FILES = sorted(ROOM.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(ROOM)))
def test_no_callable_goes_down_and_no_gate_is_closed_here(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert "Callable" not in names
    assert not {name for name in names if name.endswith("GateClosed")}
    assert not attributes & {"require", "attach"}


@pytest.mark.parametrize("name", targets.names())
def test_every_module_is_a_target(name: str) -> None:
    module = importlib.import_module(f"autoclave.targets.{name}")
    assert list(inspect.signature(module.create).parameters) == ["environment", "ctx"]
    assert {"kubernetes", "publish", "settings", "variables"} >= module.TABLES
    assert ("settings" in module.TABLES) == hasattr(module, "Settings")


def test_the_schema_of_the_device_file_lists_the_targets(capsys: pytest.CaptureFixture[str]) -> None:
    command = schema.command("schema", "")
    assert command.main([], standalone_mode=False) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["$defs"]["Environment"]["properties"]["target"]["enum"] == list(targets.names())
