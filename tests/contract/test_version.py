"""`autoclave --version`: the version from one place, and the commit that a wheel is built from."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest

from autoclave import __version__
from autoclave.cli import main

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "4ec58bd82b0e21f4d0a1b9b9b4f1c7a3d2e5f607"


def test_the_version_is_the_one_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert __version__ == project["version"]


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("autoclave.toml", r'version = "(.+)"'),
        ("Jenkinsfile", r"@Library\('autoclave@v(.+)'\)"),
        ("pipelines/image/Dockerfile", r"TOOLS=autoclave-tools:(\S+)"),
        ("setup/step-tools.sh", r'tag="autoclave-tools:(.+)"'),
        ("docs/step-image.md", r"autoclave:(\d\S*) autoclave run"),
        ("tests/image/test_step_image.py", r'"autoclave (\d\S*)"'),
    ],
)
def test_what_cannot_read_the_version_repeats_it(name: str, pattern: str) -> None:
    found = re.findall(pattern, (ROOT / name).read_text("utf-8"))
    assert found[0] == __version__, f"setup/set-version.sh {__version__} writes it into {name}"


def test_version_is_printed_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--version"]) == 0
    # The sources may also be a copy without their repository.
    commit = r"\w+, checkout .+" if (ROOT / ".git").exists() else "unknown"
    assert re.fullmatch(rf"autoclave {re.escape(__version__)} \(commit {commit}\)\n", capsys.readouterr().out)


@pytest.fixture
def hook() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "setup/wheel/hook.py"))


def test_a_build_takes_the_commit_that_it_is_told(
    hook: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOCLAVE_COMMIT", COMMIT)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1764500000")
    assert hook["find_commit"](tmp_path) == (COMMIT, 1764500000)


@pytest.mark.parametrize("named", ["HEAD", COMMIT[:12], COMMIT + "\n", "$(id)"])
def test_a_build_refuses_what_is_no_commit(
    hook: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("AUTOCLAVE_COMMIT", named)
    with pytest.raises(ValueError, match="not the id of a commit"):
        hook["find_commit"](tmp_path)


def test_a_build_outside_of_git_says_so(
    hook: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AUTOCLAVE_COMMIT", raising=False)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert hook["find_commit"](tmp_path) == ("unknown", 0)
