"""Jenkins on this machine: a JVM runs Jenkinsfiles with our library, and `sh` really runs the commands.

`cps` runs them under Jenkins' own transformation and restarts the controller at every step; `plain` runs them
with JenkinsPipelineUnit. Every stage gets a machine of its own, unless the Jenkinsfile stays on one node.
What this Jenkins does not do: plugins, the sandbox, declarative sections other than stages, real agents.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builders import real_trivy
from builders.devices import KNOWN_BAD, ROOT, Repository, copy_device, git
from pipelines import jenkins_jvm

LIBRARY = ROOT / "pipelines" / "jenkins"
IMPORT = "@Library('autoclave') _\n"
PRIMARY = {"BRANCH_NAME": "main", "BRANCH_IS_PRIMARY": "true"}
PULL_REQUEST = {"BRANCH_NAME": "PR-7", "CHANGE_ID": "7"}


@dataclass
class Scenario:
    """One build of a Jenkinsfile."""

    repository: Repository
    jenkinsfile: str
    mode: str = "cps"
    build: dict[str, str] = field(default_factory=lambda: dict(PRIMARY))
    agent: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Build:
    """A build that ended: what Jenkins shows, what it kept, and every step that it ran."""

    folder: Path
    said: dict[str, Any]

    @property
    def log(self) -> str:
        """What the console shows."""
        return f"{self.said['console']}\n{self.said['error'] or ''}\n{self.said['trace']}"

    @property
    def error(self) -> str:
        """Why it failed; empty when it did not."""
        return str(self.said["error"] or "")

    @property
    def commands(self) -> list[str]:
        """The scripts that `sh` ran, in order."""
        return list(self.said["scripts"])

    @property
    def codes(self) -> dict[str, int]:
        """The exit code of every command."""
        return {each["script"]: each["code"] for each in self.said["events"] if each["step"] == "ended"}

    @property
    def archived(self) -> set[str]:
        """The paths of the kept artifacts."""
        return {each["path"] for each in self.said["archived"]}

    def artifact(self, path: str) -> Path:
        """Return a kept artifact."""
        return self.folder / "archive" / path

    def steps(self, name: str) -> list[dict[str, Any]]:
        """Return the arguments of every call of a Jenkins step."""
        return [each["given"] for each in self.said["events"] if each["step"] == name]


def run(folder: Path, *scenarios: Scenario) -> list[Build]:
    """Run builds one after the other in this worker's JVM."""
    folder.mkdir(parents=True, exist_ok=True)
    scenarios_json = [_scenario_json(folder / str(number), each) for number, each in enumerate(scenarios)]
    (folder / "scenarios.json").write_text(json.dumps(scenarios_json), "utf-8")
    jenkins_jvm.run(folder / "scenarios.json", folder / "results.json")
    results = json.loads((folder / "results.json").read_text("utf-8"))
    builds = [Build(folder / str(number), each) for number, each in enumerate(results)]
    for build in builds:
        assert "Traceback" not in build.log, build.log
    return builds


def _scenario_json(folder: Path, scenario: Scenario) -> dict[str, Any]:
    folder.mkdir()
    (folder / "Jenkinsfile").write_text(scenario.jenkinsfile, "utf-8")
    # An agent knows nothing of this test's own settings.
    agent = {
        name: value
        for name, value in scenario.repository.environment.items()
        if not name.startswith("AUTOCLAVE_") and name != "XDG_CONFIG_HOME"
    }
    return {
        "root": str(folder),
        "repository": str(scenario.repository.folder),
        "library": str(LIBRARY),
        "jenkinsfile": str(folder / "Jenkinsfile"),
        "mode": scenario.mode,
        "build": {"BUILD_URL": "https://jenkins.example/job/device/1/", **scenario.build},
        "environment": {
            **agent,
            **real_trivy.job_settings(),
            **scenario.agent,
        },
        **scenario.more,
    }


@contextmanager
def device(folder: Path, sample: str, *, name: str = "", more: str = "") -> Iterator[Repository]:
    """Make a repository of a known-bad device (or of the good one, `control`), with `more` in its file."""
    repository = copy_device(KNOWN_BAD / sample, folder, name=f"t-jk-{name or sample}"[:40].rstrip("-"))
    git(repository.folder, "branch", "-M", "main")
    if more:
        with (repository.folder / "autoclave.toml").open("a", encoding="utf-8") as file:
            file.write(more)
        repository.commit()
    try:
        yield repository
    finally:
        repository.remove()


def quote(text: str) -> str:
    """Return a Groovy string in which nothing is interpolated."""
    for plain, escaped in (("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\r", "\\r"), ("\0", "\\u0000")):
        text = text.replace(plain, escaped)
    return f"'{text}'"
