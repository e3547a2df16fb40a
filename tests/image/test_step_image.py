"""What a CI host relies on in the step image. Runs inside of it (autoclave.toml, `[unit-test]`)."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
from pathlib import Path

import pytest


def output_of(*words: str, **variables: str) -> str:
    """Return what a command prints."""
    done = subprocess.run(
        words, check=True, capture_output=True, text=True, timeout=60, env={**os.environ, **variables}
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "version"),
    [
        (("autoclave", "--version"), "autoclave 0.1.0"),
        (("docker", "--version"), "Docker version 28.5.2"),
        (("docker", "buildx", "version"), "v0.38.2"),
        (("trivy", "--version"), "Version: 0.74.0"),
        (("kubectl", "version", "--client"), "v1.34.4"),
        (("git", "--version"), "git version 2."),
    ],
)
def test_every_program_answers_in_its_pinned_version(words: tuple[str, ...], version: str) -> None:
    assert version in output_of(*words, HOME="/tmp")


def test_the_steps_find_trivy_by_themselves() -> None:
    assert os.environ["AUTOCLAVE_SCANNER_COMMAND"] == f"trivy={shutil.which('trivy')}"


def test_nothing_runs_as_root_and_nothing_gains_rights() -> None:
    assert os.getuid() == 10001
    gaining = subprocess.run(
        ["find", "/", "-xdev", "-perm", "/6000", "-type", "f"],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert gaining.stdout == ""


def test_the_programs_cannot_be_replaced_by_their_user() -> None:
    installed = Path(str(importlib.metadata.distribution("autoclave").locate_file("autoclave")))
    for path in [installed, installed / "cli.py", Path("/usr/local/bin"), Path("/usr/local/bin/trivy")]:
        assert not os.access(path, os.W_OK), path


def test_git_reads_a_workspace_owned_by_another_user() -> None:
    assert output_of("git", "config", "--system", "--get-all", "safe.directory") == "*\n"


def test_bad_input_is_an_error_and_never_a_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        ["autoclave", "build"], cwd=tmp_path, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 10
    assert "autoclave.toml" in done.stderr
    assert "Traceback" not in done.stderr
