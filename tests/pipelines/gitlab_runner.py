"""GitLab's own runner, for pipelines that gitlab-ci-local has put together from their includes.

What a server does before it gives out a job is done here: `rules`, variables and their order, artifacts and
reports as parts of a job. Lost on the way is `expand: false`, which gitlab-ci-local drops.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
import tomllib
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from builders import real_trivy
from builders.devices import ROOT, Repository, git, own_name, program
from doubles import gitlab_coordinator
from doubles.gitlab_coordinator import Coordinator, Job, variable
from doubles.gitlab_double import Token
from pipelines.gitlab_local import GitLab, commit

PAGE = ROOT / "docs" / "gitlab.md"
SOCKET = Path("/var/run/docker.sock")
PIPELINE = 7
_LABEL = "com.gitlab.gitlab-runner.runner.id"
_NAMES = {  # app/models/concerns/enums/ci/job_artifact.rb, default_file_names
    "junit": "junit.xml",
    "dotenv": ".env",
    "cobertura": "cobertura-coverage.xml",
    "cyclonedx": "gl-sbom.cdx.json",
    "container_scanning": "gl-container-scanning-report.json",
}
# What the runner puts before each line (FF_TIMESTAMPS), sections, colours.
_DECORATION = re.compile(
    r"^\d{4}-\d\d-\d\dT[\d:.]+Z \d\d[OE][+ ]?|section_(start|end):\d+:[^\r\n]*\r|\x1b\[[0-9;]*[A-Za-z]", re.M
)
_KNOWN = ("stages", "variables", "include", "default", "workflow", "spec")


@dataclass
class PipelineResult:
    """A pipeline that ended, as the server knows it."""

    coordinator: Coordinator
    runner: str  # the runner's own log
    jobs: dict[str, Job] = field(default_factory=dict)

    @property
    def states(self) -> dict[str, str]:
        """How each job ended."""
        return {name.removeprefix("autoclave-"): job.state for name, job in self.jobs.items()}

    def job(self, name: str) -> Job:
        """Return a job of ours."""
        return self.jobs[f"autoclave-{name}"]

    def log(self, name: str) -> str:
        """Return a job's log as a person reads it."""
        return _DECORATION.sub("", self.job(name).trace.decode("utf-8", "replace")).replace("\r", "")

    def archive(self, name: str) -> zipfile.ZipFile:
        """Return what a job left as its artifacts."""
        return zipfile.ZipFile(io.BytesIO(self.job(name).artifact("archive").content))


def pipeline(
    gitlab: GitLab,
    repository: Repository,
    settings: Mapping[str, str],
    secrets: Mapping[str, str] | None = None,
    *,
    only: Collection[str] = (),
) -> list[Job]:
    """Return the jobs of a push to the default branch, all or some of them.

    `settings` and masked `secrets` are variables of the project.
    """
    project = gitlab.project(repository)
    expanded = _expand(gitlab, repository)
    given = {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_SERVER_URL": gitlab.api.url,
        "CI_PROJECT_ID": str(project.id),
        "CI_PROJECT_PATH": f"devices/{repository.name}",
        "CI_PIPELINE_ID": str(PIPELINE),
        "CI_PIPELINE_SOURCE": "push",
        "CI_COMMIT_SHA": commit(repository),
        "CI_COMMIT_REF_NAME": "main",
        "CI_COMMIT_BRANCH": "main",
        "CI_DEFAULT_BRANCH": "main",
    }
    # app/models/ci/persistent_ref.rb: the commit of a pipeline stays there for its runners.
    bare = gitlab.folder / "projects" / f"devices/{repository.name}.git"
    git(bare, "update-ref", f"refs/pipelines/{PIPELINE}", commit(repository))
    held = {name: variable(name, value) for name, value in settings.items()}
    held |= {name: variable(name, value, masked=True) for name, value in (secrets or {}).items()}
    jobs = []
    for stage in expanded["stages"]:
        for name, said in expanded.items():
            if name in _KNOWN or name.startswith(".") or said.get("stage", "test") != stage:
                continue
            if only and name.removeprefix("autoclave-") not in only:
                continue
            rule = _first_rule(said.get("rules") or [{}], given | dict(settings))
            if rule is None or rule.get("when", "on_success") in {"never", "manual"}:
                continue
            own = {"CI_JOB_NAME": name, "CI_JOB_STAGE": stage}
            named = given | own | (said.get("variables") or {}) | (rule.get("variables") or {})
            jobs.append(
                _job(name, said, repository, {k: variable(k, str(v)) for k, v in named.items()}, held)
            )
    started = {job.name for job in jobs}
    for job in jobs:
        assert started.issuperset(job.needs), f"{job.name} needs jobs that are not in the pipeline"
    return jobs


_expansions: dict[str, dict[str, Any]] = {}


def _expand(gitlab: GitLab, repository: Repository) -> dict[str, Any]:
    """Return a CI file with its includes: the same for every device, and seconds to make."""
    text = (repository.folder / ".gitlab-ci.yml").read_text("utf-8")
    if text not in _expansions:
        _expansions[text] = gitlab.run(repository, "--preview").merged
    return copy.deepcopy(_expansions[text])


def _first_rule(rules: list[dict[str, Any]], variables: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the first rule that holds (docs.gitlab.com/ci/jobs/job_rules)."""
    return next((rule for rule in rules if "if" not in rule or _evaluate(rule["if"], variables)), None)


def _evaluate(text: str, variables: Mapping[str, str]) -> bool:
    """Evaluate what our templates use of `rules:if`: $NAME, "text", null, ==, !=, &&, ||."""

    def value(word: str) -> str | None:
        if word.startswith("$"):
            return variables.get(word[1:])
        assert word == "null" or re.fullmatch(r'"[^"]*"', word), f"{word!r} in {text!r} is not understood"
        return None if word == "null" else word[1:-1]

    def comparison(words: str) -> bool:
        left, operator, right = re.fullmatch(r"(\S+)(?: (==|!=) (\S+))?", words.strip()).groups()  # type: ignore[union-attr]
        if not operator:
            return bool(value(left))
        return (value(left) == value(right)) is (operator == "==")

    return any(all(comparison(part) for part in each.split("&&")) for each in text.split("||"))


def _job(
    name: str,
    said: dict[str, Any],
    repository: Repository,
    variables: dict[str, dict[str, Any]],
    settings: dict[str, dict[str, Any]],
) -> Job:
    """Return a job as lib/api/entities/ci/job_request/ puts it together."""
    steps = [_step("script", [*(said.get("before_script") or []), *said["script"]])]
    if said.get("after_script"):
        steps.append(_step("after_script", said["after_script"]) | {"when": "always", "allow_failure": True})
    retry = said.get("retry") or {}
    payload = {
        "allow_git_fetch": True,
        "job_info": {
            "name": name,
            "stage": said["stage"],
            "pipeline_id": PIPELINE,
            "project_id": 1,
            "project_name": repository.name,
            "project_full_path": f"devices/{repository.name}",
            "time_in_queue_seconds": 0,
            "project_jobs_running_on_instance_runners_count": "+Inf",
        },
        # app/presenters/ci/build_runner_presenter.rb, refspecs; 20 is the depth of new projects.
        "git_info": {
            "ref": "main",
            "sha": commit(repository),
            "before_sha": "0" * 40,
            "ref_type": "branch",
            "refspecs": [
                f"+refs/pipelines/{PIPELINE}:refs/pipelines/{PIPELINE}",
                "+refs/heads/main:refs/remotes/origin/main",
            ],
            "depth": 20,
        },
        "runner_info": {"timeout": 300},
        "steps": steps,
        "image": {"name": said["image"]["name"]} if said.get("image") else None,
        "services": [
            each if isinstance(each, dict) else {"name": each} for each in said.get("services") or []
        ],
        "artifacts": _artifacts(said.get("artifacts") or {}),
        "cache": _caches(said.get("cache") or []),
        "credentials": [],
        "features": {
            "trace_sections": True,
            "token_mask_prefixes": ["glpat-", gitlab_coordinator.TOKEN_PREFIX],
            "failure_reasons": ["script_failure", "runner_system_failure", "job_execution_timeout"],
        },
    }
    return Job(
        name,
        payload,
        needs=tuple(each["job"] for each in said.get("needs") or []),
        variables=variables,
        settings=settings,
        retries=retry.get("max", 0),
        retried_when=tuple(retry.get("when", ())),
    )


def _caches(said: dict[str, Any] | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the caches of a job (lib/gitlab/ci/config/entry/cache.rb: the defaults of policy and when).

    The server adds to the key whether the branch is protected (app/models/ci/build.rb, cache).
    """
    defaults = {"policy": "pull-push", "when": "on_success", "untracked": False}
    listed = said if isinstance(said, list) else [said]
    return [defaults | each | {"key": f"{each['key']}-protected"} for each in listed]


def _step(name: str, script: list[str]) -> dict[str, Any]:
    return {"name": name, "script": script, "timeout": 300, "when": "on_success", "allow_failure": False}


def _artifacts(said: dict[str, Any]) -> list[dict[str, Any]]:
    """Return archive and reports (app/presenters/ci/build_runner_presenter.rb, BuildArtifact)."""
    found = []
    if said.get("paths"):
        archive = {"artifact_type": "archive", "artifact_format": "zip", "paths": said["paths"]}
        found.append(archive | {"when": said.get("when"), "expire_in": said.get("expire_in")})
    for kind, paths in (said.get("reports") or {}).items():
        if kind == "coverage_report":
            kind, paths = paths["coverage_format"], paths["path"]  # noqa: PLW2901 -- as the server renames it
        report = {"artifact_type": kind, "artifact_format": gitlab_coordinator.FORMATS[kind]}
        report |= {"name": _NAMES[kind], "paths": paths if isinstance(paths, list) else [paths]}
        found.append(report | {"when": "always", "expire_in": said.get("expire_in")})
    return found


@contextmanager
def serve(gitlab: GitLab, address: str = "127.0.0.1") -> Iterator[Coordinator]:
    """Serve the projects of a GitLab to runners."""
    with gitlab_coordinator.serve(gitlab.folder / "projects", address) as coordinator:

        def know(job: Job) -> None:
            gitlab.api.tokens[job.token] = Token(8, job=True)  # the REST API takes the token of a job

        coordinator.on_start = know
        yield coordinator


def run(coordinator: Coordinator, jobs: list[Job], home: Path, executor: Mapping[str, Any]) -> PipelineResult:
    """Let a runner run a pipeline to its end, and remove what it leaves.

    `executor` is the runner's section of config.toml. The runner has a home of its own, and nothing of the
    environment of these tests.
    """
    if executor["executor"] == "shell":  # our build of the runner has no command for its caches
        for job in jobs:
            job.payload["cache"] = []
    coordinator.add(jobs)
    home.mkdir(parents=True, exist_ok=True)
    config = home / "config.toml"
    config.touch(mode=0o600)
    runner = {"name": "tested", "url": coordinator.url, "token": coordinator.runner_token} | dict(executor)
    config.write_text(f"concurrent = 1\n[[runners]]\n{_toml(runner)}", "utf-8")
    log = home / "runner.log"
    argv = [f"{program('gitlab-runner', 'AUTOCLAVE_GITLAB_RUNNER')}/gitlab-runner", "run-single"]
    argv += ["--config", str(config), "--runner", "tested"]
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv, cwd=home, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        ended = coordinator.idle.wait(timeout=400)
        process.send_signal(signal.SIGTERM)  # it would request jobs for ever
        process.wait(timeout=30)
        said = log.read_text("utf-8", "replace")
        assert ended, f"not all jobs ended: {coordinator.states}\n{said}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        left = _remove_leavings(coordinator.runner_token)
    assert left == [], "the runner left containers behind"
    return PipelineResult(coordinator, said, coordinator.jobs)


def _toml(table: Mapping[str, Any], path: str = "runners") -> str:
    """Write a table: values, then the tables in it. JSON's strings, numbers and lists are TOML's too."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, Mapping)]
    inner = [
        f"[{path}.{key}]\n{_toml(value, f'{path}.{key}')}"
        for key, value in table.items()
        if isinstance(value, Mapping)
    ]
    return "\n".join([*lines, *inner]) + "\n"


def _remove_leavings(token: str) -> list[str]:
    """Remove what a runner has in the engine; return the names of containers, which it removes itself.

    It keeps volumes with the clones of projects for the next job.
    """
    client = docker.from_env()
    mine = {"label": f"{_LABEL}={token.removeprefix('glrt-')[:9]}"}
    containers = client.containers.list(all=True, filters=mine)
    for container in containers:
        container.remove(force=True, v=True)
    for volume in client.volumes.list(filters=mine):
        volume.remove(force=True)
    for network in client.networks.list(filters=mine):
        network.remove()
    client.close()
    return [str(each.name) for each in containers]


def docker_executor(image: str, helper: str, **more: Any) -> dict[str, Any]:
    """Return the section of a runner with the docker executor."""
    images = {"image": image, "helper_image": helper, "pull_policy": "if-not-present"}
    return {"executor": "docker", "docker": images | more}


def with_socket(image: str, helper: str, database: Path) -> dict[str, Any]:
    """Return a runner's section as docs/gitlab.md gives it for `engine-access: socket`, for this machine."""
    (text,) = re.findall(r"```toml\n(\[runners\.docker\].*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    said = tomllib.loads(text)["runners"]["docker"]
    assert said["group_add"] == ["999"]
    said["group_add"] = [str(SOCKET.stat().st_gid)]
    said["volumes"] = [each.replace("/srv/trivy:", f"{database}:") for each in said["volumes"]]
    return docker_executor(image, helper, **said)


def shell_executor(home: Path) -> dict[str, Any]:
    """Return the section of a runner whose jobs run as its own user, with this Python's Autoclave on PATH."""
    home.mkdir(parents=True, exist_ok=True)
    # The runner starts a login shell, whose PATH is the machine's.
    path = f"{Path(program('autoclave')).parent}:{os.environ['PATH']}"
    (home / ".bash_profile").write_text(f"export PATH='{path}'\n", "utf-8")
    return {"executor": "shell", "shell": "bash", "builds_dir": str(home / "builds")}


@contextmanager
def helper_image(image: str) -> Iterator[str]:
    """Make the image that the runner clones and moves artifacts with: its own helper, beside git and a shell.

    GitLab's is the helper in an image of Alpine or Ubuntu. This one is made of the step image's layers, which
    are there already; it runs as root, as GitLab's does.
    """
    folder = Path(program("gitlab-runner-helper", "AUTOCLAVE_GITLAB_RUNNER"))
    recipe = f"FROM {image}\nUSER 0\nENV HOME=/root\nWORKDIR /\nCOPY gitlab-runner-* /usr/bin/\n"
    files = {
        "Dockerfile": recipe.encode(),
        # What it makes must be writable for the user of the job's image.
        "gitlab-runner-build": b"#!/bin/bash\numask 0000\nexec /bin/bash\n",
        "gitlab-runner-helper": (folder / "gitlab-runner-helper").read_bytes(),
    }
    with _image("t-runner-helper", files) as tag:
        yield tag


@contextmanager
def dind_image() -> Iterator[str]:
    """Make a replacement for the service `docker:28-dind`: its certificates, with the engine of this machine.

    An engine in a container needs `privileged`, which requires every capability; an engine without one
    itself (CAP_SYS_RESOURCE on the machines of these tests) refuses that. Certificates, their folders and
    their modes are those of dockerd-entrypoint.sh of github.com/docker-library/docker.
    """
    with _image("t-dind", {"Dockerfile": _DIND.encode(), "serve": _SERVE.encode()}) as tag:
        yield tag


_DIND = """\
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends openssl socat && rm -rf /var/lib/apt/lists/*
COPY serve /usr/local/bin/
EXPOSE 2375 2376
CMD ["serve"]
"""
_SERVE = r"""#!/bin/sh
set -eu
folder=$DOCKER_TLS_CERTDIR
certificate() { # NAME EXTENSION
    mkdir -p "$folder/$1"
    openssl req -new -newkey rsa:2048 -nodes -keyout "$folder/$1/key.pem" \
        -subj "/CN=docker:dind $1" -out /tmp/csr
    echo "$2" >/tmp/extensions
    openssl x509 -req -in /tmp/csr -CA "$folder/ca/cert.pem" -CAkey "$folder/ca/key.pem" -CAcreateserial \
        -days 2 -extfile /tmp/extensions -out "$folder/$1/cert.pem"
    cp "$folder/ca/cert.pem" "$folder/$1/ca.pem"
}
mkdir -p "$folder/ca"
openssl req -x509 -new -newkey rsa:2048 -nodes -keyout "$folder/ca/key.pem" -subj "/CN=docker:dind CA" \
    -days 2 -out "$folder/ca/cert.pem"
certificate server "subjectAltName=DNS:docker,DNS:localhost"
certificate client "extendedKeyUsage=clientAuth"
chmod 0644 "$folder/client/key.pem"
cd "$folder/server"
exec socat OPENSSL-LISTEN:2376,fork,reuseaddr,verify=1,cert=cert.pem,key=key.pem,cafile=ca.pem \
    UNIX-CONNECT:/engine.sock
"""


@contextmanager
def _image(name: str, files: Mapping[str, bytes]) -> Iterator[str]:
    """Build an image of this worker from files; the engine keeps its layers, not its name."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    context.seek(0)
    client = docker.from_env()
    tag = f"{own_name(name)}:latest"
    client.images.build(fileobj=context, custom_context=True, tag=tag, rm=True)
    yield tag
    client.images.remove(tag, noprune=True)
    client.close()


@contextmanager
def network() -> Iterator[tuple[str, str]]:
    """Make a network for containers of this worker; return its name and the address of this machine in it."""
    client = docker.from_env()
    made = client.networks.create(own_name("t-runner"), driver="bridge")
    made.reload()
    yield str(made.name), str(made.attrs["IPAM"]["Config"][0]["Gateway"])
    made.remove()
    client.close()


def open_database(folder: Path) -> Path:
    """Copy the scanner's database to where the user of the step image may write, as in a runner's volume."""
    copy = folder / "database"
    shutil.copytree(real_trivy.cache() / "db", copy / "db")
    for path in (folder, copy, *copy.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    return copy
