"""What a repository may try in its own CI file: a gate without its record, or with a bad one, stays closed.

GitLab lets an including file override any key of an included job, and gitlab-ci-local merges them alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from builders.devices import Repository
from pipelines import gitlab_page
from pipelines.gitlab_local import WHOLE_FLOW, GitLab, Pipeline
from worker_results import report

_NO_SCAN = "no valid vulns record is attached"
_NO_TEST = "no valid test-result record is attached"
ATTEMPTS = {
    "the scan's script does nothing": ("control", 'autoclave-scan: {script: ["true"]}', "sign", _NO_SCAN),
    "the tests' script does nothing": (
        "control", 'autoclave-unit-test: {script: ["true"]}', "sign", _NO_TEST,
    ),
    "the scan ends before its script": (
        "control", 'autoclave-scan: {before_script: ["exit 0"]}', "sign", _NO_SCAN,
    ),
    "a failing scan is allowed to fail": (
        "vulnerable-package", "autoclave-scan: {allow_failure: true}", "sign", "CVE-",
    ),
    "failing tests are allowed to fail": (
        "failing-test", "autoclave-unit-test: {allow_failure: true}", "sign", "failed",
    ),
    "the scan's failure is swallowed": (
        "vulnerable-package", 'autoclave-scan: {script: ["autoclave scan || true"]}', "sign", "CVE-",
    ),
    "the scan never runs, and nothing needs it": (
        "control",
        "autoclave-scan: {rules: [{when: never}]}\n"
        "autoclave-sign: {needs: [autoclave-build, autoclave-unit-test]}\n"
        "autoclave-deploy-staging: {needs: [autoclave-build, autoclave-unit-test, autoclave-sign]}",
        "sign",
        _NO_SCAN,
    ),
    "the release gate's script does nothing": (
        "control", 'autoclave-sign: {script: ["true"]}', "deploy-staging", "no valid verification record",
    ),
    "the release gate is left out": (
        "control",
        "autoclave-sign: {rules: [{when: never}]}\n"
        "autoclave-deploy-staging: {needs: [autoclave-build, autoclave-unit-test, autoclave-scan]}",
        "deploy-staging",
        "no valid verification record",
    ),
    "the release gate's failure is swallowed": (
        "vulnerable-package",
        'autoclave-scan: {script: ["autoclave scan || true"]}\n'
        'autoclave-sign: {script: ["autoclave sign || true"]}',
        "deploy-staging",
        "CVE-",
    ),
}  # fmt: skip


CHECKS = ("autoclave-build", "autoclave-unit-test", "autoclave-scan")
GATES = ("autoclave-sign", "autoclave-deploy-staging")


class Commit:
    """One commit of a device, tried with many CI files: a job that several of them leave alike runs once."""

    def __init__(self, gitlab: GitLab, repository: Repository) -> None:
        self.gitlab = gitlab
        self.repository = repository
        self.kept: dict[str, tuple[dict[str, Any], Path]] = {}  # job and its override -> as merged, artifacts

    def run(self, override: str) -> Pipeline:
        """Run the pipeline with an override; checks that ran alike before left their artifacts then."""
        changed: dict[str, Any] = YAML(typ="safe").load(override)
        never = [job for job, keys in changed.items() if keys.get("rules") == [{"when": "never"}]]
        checks = {job: f"{job}: {changed.get(job)}" for job in CHECKS if job not in never}
        known = {job: self.kept[key] for job, key in checks.items() if key in self.kept}
        jobs = [job for job in (*checks, *GATES) if job not in known and job not in never]
        pipeline = self.gitlab.run(
            self.repository,
            *jobs,
            ci=f"{WHOLE_FLOW}\n{override}\n",
            done=[left for _, left in known.values()],
        )
        assert {job: pipeline.merged[job] for job in known} == {job: known[job][0] for job in known}
        assert all(pipeline.merged[job]["rules"] == [{"when": "never"}] for job in never)
        for job, key in checks.items():
            if pipeline.jobs.get(job) in {"PASS", "WARN"}:  # after a failure no pipeline goes on
                self.kept[key] = (pipeline.merged[job], pipeline.artifacts / job)
        return pipeline


@pytest.fixture(scope="session")
def commits(gitlab: GitLab, known_bad: Callable[[str], Repository]) -> Callable[[str], Commit]:
    """One commit of each known-bad device."""
    made: dict[str, Commit] = {}

    def get(sample: str) -> Commit:
        return made.setdefault(sample, Commit(gitlab, known_bad(sample)))

    return get


@pytest.fixture
def commit(commits: Callable[[str], Commit], attempt: str) -> Iterator[Commit]:
    """The commit that an attempt is made on."""
    found = commits(ATTEMPTS[attempt][0])
    yield found
    found.repository.remove()  # left only after a failure, and not for the next attempt to find


@pytest.mark.parametrize(
    "attempt",
    # Attempts on one commit share its jobs, so they belong into one worker.
    [
        pytest.param(each, marks=pytest.mark.xdist_group(f"overrides-{sample}"))
        for each, (sample, *_) in ATTEMPTS.items()
    ],
)
def test_an_override_leaves_the_gate_closed(commit: Commit, attempt: str) -> None:
    _, override, job, says = ATTEMPTS[attempt]
    pipeline = commit.run(override)
    assert pipeline.code != 0, pipeline.log
    assert pipeline.jobs.get(f"autoclave-{job}") == "FAIL", pipeline.log
    assert says in pipeline.log_of(f"autoclave-{job}"), pipeline.log
    assert commit.repository.containers() == []
    reason = _first_reason(pipeline, job)
    report(f"override: {attempt}: autoclave-{job} refused: {reason}")
    gitlab_page.keep_override(attempt, override, f"autoclave-{job}", reason)


def test_a_needed_job_that_never_runs_starts_no_pipeline(gitlab: GitLab, control: Repository) -> None:
    pipeline = gitlab.run(control, ci=WHOLE_FLOW + "\nautoclave-scan: {rules: [{when: never}]}\n")
    assert pipeline.code != 0
    assert pipeline.jobs == {}
    assert "autoclave-scan" in pipeline.log
    assert control.containers() == []


def test_a_commit_without_a_pipeline_has_nothing_to_deploy(gitlab: GitLab, control: Repository) -> None:
    # `[skip ci]` makes GitLab start no pipeline; what is left is a deployment job started alone.
    pipeline = gitlab.run(control, "autoclave-deploy-staging", "--no-needs")
    assert pipeline.jobs == {"autoclave-deploy-staging": "FAIL"}, pipeline.log
    assert "has not been built" in pipeline.log_of("autoclave-deploy-staging")
    assert control.containers() == []


def _first_reason(pipeline: Pipeline, job: str) -> str:
    """Return the first reason, without what differs from run to run."""
    said = re.search(r"^ *why: +(.+)$", pipeline.log_of(f"autoclave-{job}"), re.MULTILINE)
    assert said, pipeline.log
    return re.sub(r"sha256:[0-9a-f]{8,}…?", "sha256:…", said[1].strip())
