"""GitHub on this machine: act runs the workflows, and doubles stand for GitHub's own actions.

What act does not do as GitHub: it ignores `environment`, `concurrency` and `permissions`, and gives a pull
request of a fork what it gives any other. Jobs run on the machine itself (`job-image: ""`) or in containers,
each in a workspace of its own, which the checkout fills.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builders import real_trivy
from builders.devices import ROOT, Repository, program

PROJECT = "platform/autoclave"
VERSION = "v0.1.0"
DOUBLES = ROOT / "tests" / "doubles" / "github_actions"
WORKFLOW = ".github/workflows/device.yml"
CALL = f"""\
name: device
on: [push, pull_request, pull_request_target, workflow_dispatch]
jobs:
  autoclave:
    uses: {PROJECT}/.github/workflows/autoclave.yml@{VERSION}
    with:
%s
    secrets: inherit
"""
_ACTIONS = {
    "actions/upload-artifact": "upload-artifact",
    "actions/download-artifact": "download-artifact",
    "actions/cache": "cache",
    "github/codeql-action": "upload-sarif",
}


@dataclass
class Run:
    """A run that ended: what it printed, and how each of its jobs ended."""

    code: int
    log: str
    folder: Path
    jobs: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)

    def artifact(self, name: str) -> Path:
        """Return the folder of an artifact."""
        return self.folder / "artifacts" / name


def call(**inputs: str) -> str:
    """Return a workflow that calls ours with these inputs; the names as in Python."""
    lines = [f"      {name.replace('_', '-')}: {json.dumps(value)}" for name, value in inputs.items()]
    return CALL % "\n".join(lines)


def run(
    folder: Path,
    repository: Repository,
    workflow: str,
    *,
    event: str = "push",
    payload: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Run:
    """Run a repository's workflow. `folder` keeps artifacts and caches from run to run.

    `secrets` and `variables` are the organisation's; without any, jobs on the machine itself scan as these
    tests do.
    """
    kept = kept_folder(folder)
    file = repository.folder / WORKFLOW
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(workflow, "utf-8")
    said = {"repository": {"default_branch": "main"}} | dict(payload or {})
    given = real_trivy.job_settings() if variables is None else variables
    argv = [f"{program('act', 'AUTOCLAVE_ACT')}/act", event, "--json", "--workflows", str(file)]
    argv += ["--eventpath", _write(folder / "event.json", said), "--defaultbranch", "main", "--pull=false"]
    # act reads YAML by the file's name, and so values of several lines.
    argv += ["--secret-file", _write(folder / "secrets.yml", secrets or {})]
    argv += ["--var-file", _write(folder / "variables.yml", given)]
    argv += ["--env-file", "", "--input-file", "", "--env", f"ACTIONS_DOUBLE_FOLDER={kept}"]
    argv += [
        "--env",
        f"XDG_CONFIG_HOME={folder}/keys",
        "--env",
        f"GITHUB_REPOSITORY=devices/{repository.name}",
    ]
    argv += ["--no-cache-server", "--artifact-server-addr", "127.0.0.1", "--cache-server-addr", "127.0.0.1"]
    argv += ["--action-cache-path", str(folder / "cache"), "--use-new-action-cache"]
    argv += ["--platform", "ubuntu-latest=-self-hosted"]
    for each in _local_repositories(folder):
        argv += ["--local-repository", each]
    ended = subprocess.run(
        argv, cwd=repository.folder, env=_environment(folder), capture_output=True, text=True,
        timeout=900, check=False,
    )  # fmt: skip
    return _read(ended.returncode, ended.stdout, ended.stderr, kept)


def kept_folder(folder: Path) -> Path:
    """Return the folder with the artifacts and caches of a test's runs, which any user may write."""
    kept = folder / "kept"
    kept.mkdir(parents=True, exist_ok=True)
    kept.chmod(0o777)
    return kept


def _write(path: Path, values: Mapping[str, Any]) -> str:
    path.write_text(json.dumps(dict(values)), "utf-8")
    return str(path)


def _local_repositories(folder: Path) -> list[str]:
    """Return what act takes from this machine: our repository, and each action by its commit."""
    text = (ROOT / WORKFLOW).with_name("autoclave.yml").read_text("utf-8")
    found = [f"{PROJECT}@{VERSION}={ROOT}"]
    for name, double in _ACTIONS.items():
        (commit,) = set(re.findall(rf"uses: {name}(?:/[a-z-]+)?@([0-9a-f]{{40}})", text))
        place = folder / "actions" / double
        shutil.copytree(DOUBLES / double, place, dirs_exist_ok=True)
        for action in place.rglob("action.yml"):
            shutil.copy(DOUBLES / "files.py", action.parent)
        found.append(f"{name}@{commit}={place}")
    return found


def _environment(folder: Path) -> dict[str, str]:
    """Return what act's own process knows: on the machine itself its jobs get all of it."""
    known = ("PATH", "DOCKER_HOST", "LANG")
    inherited = {name: os.environ[name] for name in known if name in os.environ}
    path = f"{Path(program('autoclave')).parent}:{inherited['PATH']}"
    home = folder / "home"
    (home / ".config" / "act").mkdir(parents=True, exist_ok=True)
    (home / ".config" / "act" / "actrc").touch()  # without one, act asks a question
    return inherited | {"PATH": path, "HOME": str(home), "TMPDIR": str(folder)}


def _read(code: int, out: str, err: str, kept: Path) -> Run:
    """Read act's log: one JSON object a line, with the job, and at its end the job's result."""
    run = Run(code, out + err, kept)
    for line in out.splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue
        job = str(said.get("jobID", ""))
        run.logs[job] = run.logs.get(job, "") + str(said.get("msg", "")).rstrip("\n") + "\n"
        if result := said.get("jobResult"):
            run.jobs[job] = str(result)
    assert "Traceback" not in run.log, run.log
    return run
