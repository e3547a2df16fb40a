"""An engine and a host that are added as one file each are used by name, like those that are there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from builders.commits import commit

ROOT = Path(__file__).resolve().parents[2]
TOYS = ROOT / "tests" / "fixtures" / "drill"

DEVICE = """\
[device]
name = "pump"
version = "1.0.0"
safety-class = "A"

[[image]]
name = "app"

[unit-test]
command = ["true"]
copy = ["tests"]
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a copy of the package, to which one engine and one host are added."""
    folder = tmp_path_factory.mktemp("tree")
    package = folder / "autoclave"
    shutil.copytree(ROOT / "steps" / "autoclave", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOYS / "toy_engine.py", package / "engines" / "toy.py")
    shutil.copy(TOYS / "toy_host.py", package / "hosts" / "toy.py")
    return folder


@pytest.fixture
def device(tmp_path: Path) -> Path:
    folder = tmp_path / "device"
    (folder / "tests").mkdir(parents=True)
    (folder / "tests" / "check.py").write_text("")
    (folder / "autoclave.toml").write_text(DEVICE)
    (folder / "Dockerfile").write_text("FROM scratch\nUSER 10001\n")
    return folder


def run(tree: Path, device: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tree), "XDG_CONFIG_HOME": str(device.parent)}
    return subprocess.run(
        [sys.executable, "-m", "autoclave", *words],
        cwd=device,
        env=environ | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )


def test_an_added_engine_builds_and_tests_by_its_name(tree: Path, device: Path) -> None:
    checked = run(tree, device, "doctor", "--engine", "toy")
    assert re.search(r"^✔ engine +toy 1, kernel none", checked.stdout, re.MULTILINE), checked.stderr
    planned = run(tree, device, "build", "--dry-run", "--engine", "toy")
    assert "run    toy build Dockerfile" in planned.stdout, planned.stderr
    built = run(tree, device, "build", AUTOCLAVE_ENGINE="toy")
    assert built.returncode == 0, built.stderr
    assert "toy: one layer" in built.stderr


def test_an_engine_that_is_not_there_is_answered_with_those_that_are(tree: Path, device: Path) -> None:
    refused = run(tree, device, "build", "--engine", "podman")
    assert refused.returncode == 2
    assert "there is no engine 'podman'" in refused.stderr
    assert "docker, toy" in refused.stderr


def test_an_added_host_is_on_record_as_what_ran_the_tests(tree: Path, device: Path) -> None:
    page = "https://toy.example/jobs/7"
    job = {
        "TOY_CI": "true",
        "TOY_JOB_URL": f"{page}?token=s3cret",
        "TOY_USER": "ada",
        "AUTOCLAVE_ENGINE": "toy",
    }
    commit(device, {".gitignore": ".autoclave/\n"})
    assert run(tree, device, "build", **job).returncode == 0
    tested = run(tree, device, "unit-test", **job)
    assert tested.returncode == 0, tested.stderr
    digest = tested.stdout.split()[-1]
    shown = run(tree, device, "show", digest, "test-result", **job)
    assert f"{page} for ada" in shown.stdout, shown.stderr
    assert "s3cret" not in shown.stdout


def test_an_added_host_has_its_starter(tree: Path, device: Path) -> None:
    assert run(tree, device, "init", "--host", "toy").returncode == 0
    assert (device / "toy.ci").read_text().startswith("run autoclave ")
