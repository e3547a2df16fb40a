"""How `./demo` ends: five lines with addresses that a browser opens, and commands that a shell takes."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pytest

from builders.devices import ROOT


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The script, which imports its neighbour as a script does."""
    monkeypatch.syspath_prepend(str(ROOT / "setup"))
    found = importlib.util.spec_from_file_location("ending", ROOT / "setup" / "ending.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    yield module
    sys.modules.pop("observe", None)


def test_five_lines_end_with_the_address_of_what_runs(ending: ModuleType, tmp_path: Path) -> None:
    lines = ending.ending(ROOT, tmp_path, 18080, 29).splitlines()
    assert len(lines) == 5
    assert lines[0].endswith("exactly that image runs here now (29 s)")
    assert lines[-1].split()[2] == "http://127.0.0.1:18080/"


def test_a_folder_with_a_blank_and_a_hash_is_an_address_and_a_command(
    ending: ModuleType, tmp_path: Path
) -> None:
    folder = tmp_path / "my devices #1 100%"
    lines = ending.ending(ROOT, folder, 18080, 29).splitlines()
    address = urlsplit(next(word for word in lines[3].split() if word.startswith("file:")))
    assert Path(unquote(address.path)) == folder / ".autoclave/reports/gateway/release.html"
    assert shlex.split(lines[1].partition(": ")[2])[4] == str(folder)


def test_the_port_is_the_one_that_the_sample_publishes(ending: ModuleType) -> None:
    assert ending.port(ROOT / "examples" / "pulse-oximeter" / "autoclave.toml", "staging") == 18080
