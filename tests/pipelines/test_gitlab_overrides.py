"""What a repository may try in its own CI file: a gate without its record, or with a bad one, stays closed.

GitLab lets an including file override any key of an included job, and gitlab-ci-local merges them alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from gathering import report
from integration.devices import Repository
from pipelines import gitlab_page
from pipelines.gitlab_local import WHOLE_FLOW, GitLab, Pipeline

Device = Callable[[str, str], Repository]

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


@pytest.fixture(scope="module")
def rows() -> Iterator[dict[str, tuple[str, str, str]]]:
    """Rows of the table in docs/gitlab.md, by attempt; compared when all of them were run."""
    found: dict[str, tuple[str, str, str]] = {}
    yield found
    if len(found) == len(ATTEMPTS):
        gitlab_page.keep("overrides", gitlab_page.overrides([found[attempt] for attempt in ATTEMPTS]))


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_an_override_leaves_the_gate_closed(
    gitlab: GitLab, device: Device, rows: dict[str, tuple[str, str, str]], attempt: str
) -> None:
    sample, override, job, says = ATTEMPTS[attempt]
    repository = device(sample, f"{WHOLE_FLOW}\n{override}\n")
    pipeline = gitlab.run(repository)
    assert pipeline.code != 0, pipeline.log
    assert pipeline.jobs[f"autoclave-{job}"] == "FAIL", pipeline.log
    assert says in pipeline.of(f"autoclave-{job}"), pipeline.log
    assert repository.containers() == []
    tried = override.replace("\n", "<br>")
    report(f"override: {attempt}: autoclave-{job} refused: {_told(pipeline, job)}")
    rows[attempt] = (
        f"{attempt}<br>`{tried.replace('<br>', '`<br>`')}`",
        f"autoclave-{job}",
        _told(pipeline, job),
    )


def test_a_needed_job_that_never_runs_is_no_pipeline_at_all(gitlab: GitLab, device: Device) -> None:
    repository = device("control", WHOLE_FLOW + "\nautoclave-scan: {rules: [{when: never}]}\n")
    pipeline = gitlab.run(repository)
    assert pipeline.code != 0
    assert pipeline.jobs == {}
    assert "autoclave-scan" in pipeline.log
    assert repository.containers() == []


def test_a_commit_without_a_pipeline_has_nothing_to_deploy(gitlab: GitLab, device: Device) -> None:
    # `[skip ci]` makes GitLab start no pipeline; what is left is a deployment job started alone.
    repository = device("control", WHOLE_FLOW)
    pipeline = gitlab.run(repository, "autoclave-deploy-staging", "--no-needs")
    assert pipeline.jobs["autoclave-deploy-staging"] == "FAIL"
    assert "has not been built" in pipeline.of("autoclave-deploy-staging")
    assert repository.containers() == []


def _told(pipeline: Pipeline, job: str) -> str:
    """Return the first reason, without what differs from run to run."""
    said = re.search(r"^ *why: +(.+)$", pipeline.of(f"autoclave-{job}"), re.MULTILINE)
    assert said, pipeline.log
    return re.sub(r"sha256:[0-9a-f]{8,}…?", "sha256:…", said[1].strip())
