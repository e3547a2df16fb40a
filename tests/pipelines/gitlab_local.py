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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from doubles.gitlab_double import Double
from integration.devices import ROOT, Repository, git, program

TEMPLATES = "platform/autoclave"
VERSION = "v0.1.0"
PROJECT, MERGE_REQUEST = 5, 17
JOB_TOKEN, PROJECT_TOKEN = "token-of-the-job", "token-of-the-project"
WHOLE_FLOW = f"""\
include:
  - project: {TEMPLATES}
    ref: {VERSION}
    file: /pipelines/gitlab/autoclave.yml
"""
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\x1b\[0K")


@dataclass
class Pipeline:
    """A pipeline that ended: what it printed, how each of its jobs ended, and what it left."""

    code: int
    log: str
    folder: Path
    jobs: dict[str, str] = field(default_factory=dict)

    def of(self, job: str) -> str:
        """Return what one job printed."""
        lines = [line for line in self.log.splitlines() if line.split(" ")[0] == job]
        return "\n".join(line.removeprefix(job).strip().removeprefix("> ") for line in lines)

    def left(self, job: str, path: str) -> Path:
        """Return a path below a job's artifacts."""
        return self.folder / ".gitlab-ci-local" / "artifacts" / job / path

    def handed_on(self, job: str, folder: str) -> Path:
        """Return the folder that a job handed on."""
        return self.left(job, f".autoclave/handover/{folder}")


@dataclass
class GitLab:
    """A server of two kinds of projects: the templates, and devices. Its REST API is a double."""

    folder: Path
    api: Double
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        templates = self.folder / "templates"
        shutil.copytree(ROOT / "pipelines", templates / "pipelines")
        self.publish(templates, TEMPLATES, tag=VERSION)

    def publish(self, folder: Path, project: str, *, tag: str = "") -> None:
        """Make a project of what lies in a folder; the folder becomes its clone."""
        bare = self.folder / "projects" / f"{project}.git"
        if not (folder / ".git").exists():
            git(folder, "init", "-q", "-b", "main")
        (folder / ".git" / "info" / "exclude").write_text(".gitlab-ci-local\n", "utf-8")  # the runner's own
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "--allow-empty", "-m", "test")
        if tag:
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

    def run(self, repository: Repository, *words: str, **variables: str) -> Pipeline:
        """Run the repository's pipeline. `variables` are the project's, as an administrator sets them."""
        shutil.rmtree(repository.folder / ".gitlab-ci-local", ignore_errors=True)
        self.api.projects[PROJECT].commits.add(commit(repository))
        given = {
            "GITLAB_CI": "true",
            # Every job has a user of its own, and so development keys of its own, as on machines of its own.
            "XDG_CONFIG_HOME": f"{self.folder}/homes/{repository.name}/$CI_JOB_NAME",
            "AUTOCLAVE_TRIVY": os.environ["AUTOCLAVE_TRIVY"],
            "AUTOCLAVE_TRIVY_CACHE": os.environ["AUTOCLAVE_TRIVY_CACHE"],
            "CI_SERVER_URL": self.api.url,
            "CI_PROJECT_ID": str(PROJECT),
            "CI_JOB_TOKEN": JOB_TOKEN,
            **self.variables,
            **variables,
        }
        folder = program("AUTOCLAVE_GITLAB_LOCAL", "AUTOCLAVE_GITLAB_LOCAL")
        argv = [f"{folder}/gitlab-ci-local", "--shell-isolation", "--force-shell-executor", "--color=false"]
        argv += [part for name, value in given.items() for part in ("--variable", f"{name}={value}")]
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
        done = subprocess.run(
            [*argv, *words], cwd=repository.folder, env=environment, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
        log = _ESCAPES.sub("", done.stdout + done.stderr)
        assert "Traceback" not in log, log
        jobs = dict(reversed(pair) for pair in re.findall(r"^ (PASS|FAIL|WARN)  +(\S+) *$", log, re.M))
        return Pipeline(done.returncode, log, repository.folder, jobs)


def commit(repository: Repository) -> str:
    """Return the commit that a repository stands at."""
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
