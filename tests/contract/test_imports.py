"""Who may import what: each outside package has one importer, and every module has its layer."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "steps" / "autoclave"
FILES = sorted(PACKAGE.rglob("*.py"))

MAY_IMPORT = {
    "plumbum": ("runtime/shell.py",),
    # verify.py goes into every bundle and works without the rest of Autoclave.
    "subprocess": ("runtime/shell.py", "bundles/verify.py"),
    "docker": ("engines/",),
    "securesystemslib": ("signers/", "evidence/"),
    "cryptography": ("signers/", "evidence/"),
    "requests": ("store/registry/http.py",),
    "gitlab": ("hosts/",),
    "jenkins": ("hosts/",),
}
DOES_IO = {"io", "os", "pathlib", "socket", "subprocess", "time", "urllib", "http", "shutil", "tempfile"}
CALLS_THAT_DO_IO = {"open", "now", "utcnow", "today", "print", "input"}


def imports_of(source: str) -> set[str]:
    """Return the top-level packages that a source imports anywhere, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def trespasses(where: str, source: str) -> set[str]:
    """Return the packages that a file of the package imports and may not."""
    return {
        package
        for package in imports_of(source) & set(MAY_IMPORT)
        if not where.startswith(MAY_IMPORT[package])
    }


@pytest.mark.parametrize("flags", [["-P"], []])
@pytest.mark.parametrize("module", ["autoclave", "autoclave.scan"])
def test_nothing_of_the_device_repository_is_imported(flags: list[str], module: str, tmp_path: Path) -> None:
    """Without -P the interpreter itself looks in the current folder first, for the package itself too."""
    for name in (
        "msgspec",
        "click",
        "json",
        "typing",
        "enum",
        *(["autoclave", "sitecustomize"] if flags else []),
    ):
        (tmp_path / f"{name}.py").write_text("print('the repository ran')")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    argv = [sys.executable, *flags, "-m", module, "--help"]
    done = subprocess.run(argv, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "the repository ran" not in done.stdout + done.stderr


def test_each_outside_package_has_its_one_importer() -> None:
    found = {str(path.relative_to(PACKAGE)): path.read_text("utf-8") for path in FILES}
    assert len(found) > 50
    assert {where: bad for where, source in found.items() if (bad := trespasses(where, source))} == {}


@pytest.mark.parametrize(
    ("where", "source", "bad"),
    [
        ("scan.py", "import plumbum", {"plumbum"}),
        ("scan.py", "def f():\n    from docker.types import Mount", {"docker"}),
        ("store/layout/blobs.py", "import requests.sessions as s", {"requests"}),
        ("engines/podman.py", "import docker", set()),
    ],
)
def test_a_forbidden_import_is_found(where: str, source: str, bad: set[str]) -> None:
    assert trespasses(where, source) == bad


def test_gates_import_nothing_that_does_io_and_read_no_clock() -> None:
    for path in (
        *(PACKAGE / "gates").rglob("*.py"),
        *(PACKAGE / "model").rglob("*.py"),
        PACKAGE / "policy" / "schema.py",
    ):
        source = path.read_text("utf-8")
        assert not imports_of(source) & DOES_IO, path
        called = {
            getattr(node.func, "attr", getattr(node.func, "id", ""))
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Call)
        }
        assert not called & CALLS_THAT_DO_IO, path


def test_every_module_has_its_layer() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    layers = next(each["layers"] for each in settings["contracts"] if each["type"] == "layers")
    named = {name.strip().removeprefix("autoclave.") for layer in layers for name in layer.split("|")}
    there = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES} - {"__init__"}
    assert named == there
