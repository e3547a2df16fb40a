"""GitLab on this machine: bare repositories as its projects, gitlab-ci-local as its scheduler and runner.

What gitlab-ci-local does not do as GitLab: it passes unknown inputs, and ignores `retry`, `resource_group`,
masking, protected variables and reports other than dotenv.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from builders import real_trivy
from builders.devices import ROOT, Repository, git, program
from doubles.gitlab_double import Double
from doubles.gitlab_state import Project

TEMPLATES = "platform/autoclave"
VERSION = "v0.1.0"
COMPONENT_VERSION = "0.1.0"
"""The same, as the catalog of components wants it (docs.gitlab.com/ci/components, semantic versioning)."""
MERGE_REQUEST = 17
JOB_TOKEN, PROJECT_TOKEN = "token-of-the-job", "token-of-the-project"
WHOLE_FLOW = f"""\
include:
  - project: {TEMPLATES}
    ref: {VERSION}
    file: /pipelines/gitlab/autoclave.yml
"""
COMPONENT = f"$CI_SERVER_FQDN/{TEMPLATES}/autoclave@{COMPONENT_VERSION}"
_FIRST_PROJECT = 5
_STATE = ".gitlab-ci-local"  # the runner's own folder in a clone
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\x1b\[0K")


@dataclass
class Pipeline:
    """A pipeline that ended: what it printed, how each of its jobs ended, and what they left as artifacts."""

    code: int
    log: str
    artifacts: Path
    jobs: dict[str, str] = field(default_factory=dict)
    merged: dict[str, Any] = field(default_factory=dict)  # the CI file with its includes and overrides

    def log_of(self, job: str) -> str:
        """Return what one job printed."""
        lines = [line for line in self.log.splitlines() if line.split(" ")[0] == job]
        return "\n".join(line.removeprefix(job).strip().removeprefix("> ") for line in lines)

    def artifact(self, job: str, path: str) -> Path:
        """Return a path below a job's artifacts."""
        return self.artifacts / job / path

    def artifacts_of(self, *jobs: str) -> list[Path]:
        """Return the artifacts of some jobs, for another pipeline to go on from."""
        return [self.artifacts / job for job in jobs]

    def handover_folder(self, job: str, folder: str) -> Path:
        """Return the handover folder of a job."""
        return self.artifact(job, f".autoclave/handover/{folder}")


@dataclass
class GitLab:
    """A server of two kinds of projects: the templates, and devices. Its REST API is a double."""

    folder: Path
    api: Double
    variables: dict[str, str] = field(default_factory=dict)
    numbers: dict[Path, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        templates = self.folder / "templates"
        for name in ("pipelines", "templates"):
            shutil.copytree(ROOT / name, templates / name)
        self.publish(templates, TEMPLATES, tags=(VERSION, COMPONENT_VERSION))

    def publish(self, folder: Path, project: str, *, tags: Iterable[str] = ()) -> None:
        """Make a project of a folder's files; the folder becomes its clone."""
        bare = self.folder / "projects" / f"{project}.git"
        if not (folder / ".git").exists():
            git(folder, "init", "-q", "-b", "main")
        (folder / ".git" / "info" / "exclude").write_text(f"{_STATE}\n", "utf-8")
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "--allow-empty", "-m", "test")
        for tag in tags:
            git(folder, "tag", "-f", tag)
        shutil.rmtree(bare, ignore_errors=True)
        git(folder, "clone", "-q", "--bare", ".", str(bare))

    def device(self, repository: Repository, ci: str) -> None:
        """Give a device repository its CI file, and make a project of it."""
        (repository.folder / ".gitlab-ci.yml").write_text(ci, "utf-8")
        git(repository.folder, "branch", "-M", "main")
        self.publish(repository.folder, f"devices/{repository.name}")
        if not (repository.folder / ".git/refs/remotes").exists():
            git(
                repository.folder, "remote", "add", "origin",
                f"git@gitlab.example:devices/{repository.name}.git",
            )  # fmt: skip
        git(repository.folder, "update-ref", "refs/remotes/origin/main", "HEAD")
        git(repository.folder, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")

    def project(self, repository: Repository) -> Project:
        """Return a device's project on the server: each device has a project of its own."""
        number = self.numbers.setdefault(repository.folder, _FIRST_PROJECT + len(self.numbers))
        new = Project(number, f"devices/{repository.name}", notes={MERGE_REQUEST: []})
        return self.api.projects.setdefault(number, new)

    def run(
        self, repository: Repository, *words: str, ci: str = "", done: Iterable[Path] = (), **variables: str
    ) -> Pipeline:
        """Run the repository's pipeline. `variables` are the project's, as an administrator sets them.

        `words` may name the jobs to run; `done` are artifacts of jobs before them (see `artifacts_of`). `ci`
        replaces the commit's CI file, so that many CI files can be tried on one commit.
        """
        state = repository.folder / _STATE
        _prepare(state, done)
        if ci:
            (state / "ci.yml").write_text(ci, "utf-8")
            words = (*words, "--file", f"{_STATE}/ci.yml")
        project = self.project(repository)
        project.commits.add(commit(repository))
        given = {
            "GITLAB_CI": "true",
            # Every job has a user of its own, and so development keys of its own, as on machines of its own.
            "XDG_CONFIG_HOME": f"{self.folder}/homes/{repository.name}/$CI_JOB_NAME",
            **real_trivy.job_settings(),
            "CI_SERVER_URL": self.api.url,
            "CI_PROJECT_ID": str(project.id),
            "CI_JOB_TOKEN": JOB_TOKEN,
            **self.variables,
            **variables,
        }
        settings = [part for name, value in given.items() for part in ("--variable", f"{name}={value}")]
        ended = self._runner(repository, *settings, *words)
        log = _ESCAPES.sub("", ended.stdout + ended.stderr)
        assert "Traceback" not in log, log
        jobs = dict(reversed(pair) for pair in re.findall(r"^ (PASS|FAIL|WARN)  +(\S+) *$", log, re.M))
        return Pipeline(ended.returncode, log, _move_artifacts(state), jobs, _merged_ci_file(state))

    def _runner(self, repository: Repository, *words: str) -> subprocess.CompletedProcess[str]:
        """Run gitlab-ci-local in a clone."""
        folder = program("AUTOCLAVE_GITLAB_LOCAL", "AUTOCLAVE_GITLAB_LOCAL")
        environment = repository.environment | {
            "PATH": f"{folder}:{repository.environment['PATH']}",
            "HOME": str(self.folder),
            "DOCKER_CONFIG": str(self.folder / "docker"),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.file://{self.folder}/projects/.insteadOf",
            "GIT_CONFIG_VALUE_0": "ssh://git@gitlab.example:22/",
        }
        for name in [name for name in environment if name.startswith("AUTOCLAVE_")]:
            del environment[name]  # a runner knows nothing of this test's own settings
        argv = [f"{folder}/gitlab-ci-local", "--shell-isolation", "--force-shell-executor", "--color=false"]
        # Artifacts go to the jobs that need them and nowhere else.
        argv += ["--artifacts-to-source=false", *words]
        return subprocess.run(
            argv,
            cwd=repository.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )


def _prepare(state: Path, done: Iterable[Path]) -> None:
    """Leave nothing of an earlier pipeline but the templates, which are of a fixed version; add artifacts."""
    for path in state.iterdir() if state.exists() else ():
        if path.is_dir() and path.name != "includes":
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()
    state.mkdir(exist_ok=True)
    for folder in done:
        # Links, for images are large: the runner copies artifacts to jobs, and never changes one in place.
        shutil.copytree(folder, state / "artifacts" / folder.name, symlinks=True, copy_function=os.link)


def _move_artifacts(state: Path) -> Path:
    """Move the artifacts away, so that the next pipeline in this clone does not remove them."""
    folder = state.parents[1] / "artifacts"
    folder.mkdir(exist_ok=True)
    place = folder / str(len(list(folder.iterdir())))
    (state / "artifacts").mkdir(exist_ok=True)
    return (state / "artifacts").rename(place)


def _merged_ci_file(state: Path) -> dict[str, Any]:
    file = state / "expanded-gitlab-ci.yml"
    merged: dict[str, Any] = YAML(typ="safe").load(file) if file.exists() else {}
    return merged


def commit(repository: Repository) -> str:
    """Return the commit that is checked out in a repository."""
    argv = ["git", "-C", str(repository.folder), "rev-parse", "HEAD"]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def records(store: Path) -> dict[str, dict[str, Any]]:
    """Return what each step's record in a layout says about its making, by step."""
    found = {}
    for blob in (store / "blobs" / "sha256").iterdir():
        try:
            envelope = json.loads(blob.read_bytes())
        except ValueError:
            continue
        if isinstance(envelope, dict) and "payload" in envelope:
            statement = json.loads(base64.b64decode(envelope["payload"]))
            if made := statement["predicate"].get("autoclave"):
                subject = f"sha256:{statement['subject'][0]['digest']['sha256']}"
                found[made["step"]] = made | {"digest": subject}
    return found
