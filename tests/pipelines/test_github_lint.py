"""GitHub's files by actionlint, which knows GitHub's syntax; and their scripts by a shell."""

from __future__ import annotations

import re
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest

from autoclave import hosts
from builders.devices import ROOT, program

JOBS: dict[str, Any] = runpy.run_path(str(ROOT / "pipelines" / "github_jobs.py"))
PAGE = (ROOT / "docs" / "github.md").read_text("utf-8")
WORKFLOW = ROOT / ".github" / "workflows" / "autoclave.yml"


def lint(*paths: Path) -> subprocess.CompletedProcess[str]:
    linter = f"{program('actionlint', 'AUTOCLAVE_ACT')}/actionlint"
    argv = [linter, "-no-color", "-oneline", "-shellcheck=", *map(str, paths)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)


def test_the_workflow_is_valid() -> None:
    done = lint(WORKFLOW)
    assert done.returncode == 0, done.stdout


def test_the_starter_and_the_workflows_of_the_page_are_valid(tmp_path: Path) -> None:
    texts = [*re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    starter = hosts.create("github").starter("0.1.0")
    assert starter
    files = []
    for number, text in enumerate([starter.content.decode(), *texts]):
        files.append(tmp_path / f"{number}.yml")
        files[-1].write_text(text, "utf-8")
    assert len(files) == 5
    done = lint(*files)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("needs: [build, unit-test, scan]", "needs: [build, unit-test, scam]", "scam"),
        ("needs.sign.outputs.release", "needs.sign.outputs.relase", "relase"),
        ("inputs.rollback-to != ''", "inputs.rolback-to != ''", "rolback-to"),
        ("autoclave scan\n", "autoclave scan ${{ github.head_ref }}\n", "potentially untrusted"),
    ],
)
def test_a_mistake_is_seen(old: str, new: str, says: str, tmp_path: Path) -> None:
    text = WORKFLOW.read_text("utf-8")
    assert old in text
    bad = tmp_path / "bad.yml"
    bad.write_text(text.replace(old, new), "utf-8")
    done = lint(bad)
    assert done.returncode == 1
    assert says in done.stdout


def run_script(name: str, folder: Path, **variables: str) -> tuple[int, str, str]:
    """Run a script as GitHub does; return the exit code, what it printed, and what it added to the job."""
    added = folder / "added"
    added.touch()
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", JOBS[name]],
        env={"PATH": "/usr/bin:/bin", "RUNNER_TEMP": str(folder), "GITHUB_ENV": str(added), **variables}
        | {"GITHUB_OUTPUT": str(added)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr, added.read_text("utf-8")


@pytest.mark.parametrize(
    "event",
    ["pull_request_target", "workflow_run", "issue_comment", "", "push pull_request", "*", "pushes", "$(id)"],
)
def test_no_other_event_starts_the_flow(event: str, tmp_path: Path) -> None:
    code, said, _ = run_script("REFUSE", tmp_path, GITHUB_EVENT_NAME=event)
    assert (code, "does not start this flow" in said) == (2, True)


@pytest.mark.parametrize("event", JOBS["EVENTS"])
def test_these_events_do(event: str, tmp_path: Path) -> None:
    assert run_script("REFUSE", tmp_path, GITHUB_EVENT_NAME=event)[0] == 0


def test_a_key_becomes_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    key = "-----BEGIN PRIVATE KEY-----\n$(touch pwned) `id` %s\n-----END PRIVATE KEY-----"
    _, said, added = run_script("FILES", tmp_path, GIVEN_AUTOCLAVE_KEY=key)
    file = tmp_path / "AUTOCLAVE_KEY"
    assert added == f"AUTOCLAVE_KEY=file:{file}\n"
    assert file.read_text("utf-8") == key + "\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert said == ""


def test_the_address_of_a_key_stays_one_and_a_policy_is_named_by_its_path(tmp_path: Path) -> None:
    given = {"KEY": "", "RELEASE_KEY": "awskms:///alias/x", "POLICY": "[scan]\nx = 1", "TRUST": ""}
    named = {f"GIVEN_AUTOCLAVE_{name}": value for name, value in given.items()}
    _, _, added = run_script("FILES", tmp_path, **named)
    assert added.splitlines() == [
        "AUTOCLAVE_RELEASE_KEY=awskms:///alias/x",
        f"AUTOCLAVE_POLICY={tmp_path / 'AUTOCLAVE_POLICY'}",
    ]


def test_no_value_adds_a_second_variable(tmp_path: Path) -> None:
    _, _, added = run_script("FILES", tmp_path, GIVEN_AUTOCLAVE_KEY="x\nLD_PRELOAD=/tmp/x.so")
    assert [line.partition("=")[0] for line in added.splitlines()] == ["AUTOCLAVE_KEY"]


def test_only_digests_become_outputs(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    text = "AUTOCLAVE_DIGEST=app=sha256:1\nPATH=/tmp\nAUTOCLAVE_RELEASE=sha256:2\n"
    (tmp_path / "out" / "digests.env").write_text(text)
    _, _, added = run_script("OUTPUTS", tmp_path, AUTOCLAVE_FOLDER=str(tmp_path), AUTOCLAVE_HAND_ON="out")
    assert added == "digest=app=sha256:1\nrelease=sha256:2\n"
    code, _, _ = run_script("OUTPUTS", tmp_path, AUTOCLAVE_FOLDER=str(tmp_path), AUTOCLAVE_HAND_ON="missing")
    assert code == 0
