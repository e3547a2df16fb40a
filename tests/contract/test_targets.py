"""A target is one source file, and closes no gate: facts go up from it, and no callable goes down to it."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import autoclave
from autoclave import targets
from autoclave.targets.base import Target

ROOM = Path(targets.__file__).parent
FILES = sorted(ROOM.rglob("*.py"))
SHELF = '''\
"""Deploy to a shelf, where nothing runs by itself."""

from contextlib import nullcontext

from msgspec import Struct

from autoclave.targets.base import Preparation, Rehearsal, Restoration, read_settings


class Settings(Struct, forbid_unknown_fields=True):
    board: int = 1


def create(environment, ctx):
    return Shelf(environment, read_settings(environment, Settings))


class Shelf:
    def __init__(self, environment, settings):
        self.environment, self.settings = environment, settings

    def covers(self, image):
        return image.name == "app"

    def inputs(self):
        return {"board": str(self.settings.board)}

    def inspect_command(self):
        return "ls shelf"

    def running(self):
        return []

    def is_running(self, rollout):
        return False

    def lock(self, rollout):
        return nullcontext()

    def recover(self, rollout):
        return self.running()

    def prepare(self, rollout):
        return Preparation()

    def rehearse(self, rollout):
        return Rehearsal()

    def apply(self, rollout): ...

    def observe(self, rollout):
        return self.running()

    def restore(self, rollout):
        return Restoration(())

    def finish(self, rollout): ...
'''
DEVICE = """
[device]
name = "pump"
version = "1.0.0"
safety-class = "A"
[[image]]
name = "app"
[[image]]
name = "tool"
[[environment]]
name = "store-room"
target = "shelf"
[environment.settings]
board = 3
"""


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


def test_the_targets_of_the_product() -> None:
    assert targets.names() == ("docker", "kubernetes", "openshift", "registry")


def test_the_shelf_has_what_the_protocol_asks_for() -> None:
    """Or the newcomer below would read less than it must do."""
    methods = {name for name in vars(Target) if not name.startswith("_")} - {"environment"}
    assert methods == {
        node.name
        for each in ast.parse(SHELF).body
        if isinstance(each, ast.ClassDef)
        for node in each.body
        if isinstance(node, ast.FunctionDef) and node.name != "__init__"
    }


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the source with one file more, and a device that is deployed to a shelf."""
    folder = tmp_path_factory.mktemp("newcomer")
    source = Path(autoclave.__file__).parent
    shutil.copytree(source, folder / "autoclave")
    (folder / "autoclave" / "targets" / "shelf.py").write_text(SHELF)
    (folder / "device").mkdir()
    (folder / "device" / "autoclave.toml").write_text(DEVICE)
    return folder


def run(room: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the newcomer's command line."""
    return subprocess.run(
        [sys.executable, "-m", "autoclave", *words],
        cwd=room / "device",
        env=os.environ | {"PYTHONPATH": str(room), "PYTHONDONTWRITEBYTECODE": ""},  # compiled once
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_file_adds_a_target(room: Path) -> None:
    status = run(room, "status")
    assert (status.returncode, status.stdout) == (0, "store-room: nothing runs\n"), status.stderr
    planned = run(room, "deploy", "store-room", "--dry-run", "--json")
    assert planned.returncode == 0, planned.stderr
    (plan,) = [json.loads(line)["plan"] for line in planned.stdout.splitlines()]
    assert plan["image"] == "app"
    assert plan["tools"] == {"target": "shelf"}
    assert plan["inputs"]["board"] == "3"
    schema = json.loads(run(room, "schema").stdout)
    assert "shelf" in schema["$defs"]["Environment"]["properties"]["target"]["enum"]


def test_the_settings_of_a_target_are_its_own_to_check(room: Path) -> None:
    file = room / "device" / "autoclave.toml"
    file.write_text(DEVICE.replace("board = 3", "bord = 3"))
    refused = run(room, "deploy", "store-room", "--dry-run")
    assert refused.returncode == 10
    assert "environment 'store-room', settings: unknown key 'bord'" in refused.stderr
    assert "did you mean 'board'?" in refused.stderr
    file.write_text(DEVICE.replace('"shelf"', '"docker"'))
    refused = run(room, "deploy", "store-room", "--dry-run")
    assert refused.returncode == 10
    assert "the target 'docker' reads none" in refused.stderr


def test_an_unknown_target_names_the_nearest_one(room: Path) -> None:
    (room / "device" / "autoclave.toml").write_text(DEVICE.replace('"shelf"', '"kubernets"'))
    refused = run(room, "deploy", "store-room", "--dry-run")
    assert refused.returncode == 10
    assert "did you mean 'kubernetes'?" in refused.stderr
