"""One include gives a repository in GitLab what `autoclave run` gives on a laptop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from builders.devices import SAMPLE, Repository, copy_device
from pipelines.gitlab_local import (
    MERGE_REQUEST,
    PROJECT_TOKEN,
    WHOLE_FLOW,
    GitLab,
    Pipeline,
    records,
)

JOBS = ["build", "unit-test", "scan", "sign", "deploy-staging"]
_MERGE_REQUEST = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_BRANCH": ""}


@pytest.fixture(scope="module")
def sample(gitlab: GitLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """The pulse oximeter as a project, with the one include."""
    repository = copy_device(SAMPLE, tmp_path_factory.mktemp("sample"), name="t-gitlab-sample")
    gitlab.device(repository, WHOLE_FLOW)
    yield repository
    repository.remove()


@pytest.fixture(scope="module")
def passed(gitlab: GitLab, sample: Repository) -> Pipeline:
    """Its pipeline, the layout passed on as artifacts."""
    pipeline = gitlab.run(sample)
    assert pipeline.code == 0, pipeline.log
    return pipeline


@pytest.fixture(scope="module")
def merge_request(gitlab: GitLab, sample: Repository) -> Pipeline:
    """Its pipeline for a merge request, without a token."""
    pipeline = gitlab.run(sample, **_MERGE_REQUEST)
    assert pipeline.code == 0, pipeline.log
    return pipeline


def test_all_jobs_pass_and_the_release_runs(passed: Pipeline, sample: Repository) -> None:
    assert passed.jobs == {f"autoclave-{job}": "PASS" for job in JOBS}
    (container,) = sample.containers()
    assert container.status == "running"
    made = records(passed.handover_folder("autoclave-deploy-staging", "deploy-staging") / "store")
    assert set(made) == {"build", "unit-test", "scan", "sign", "deploy", "seal"}
    assert all(each["passed"] for each in made.values())


def test_reports_lie_where_the_template_promises_them(passed: Pipeline) -> None:
    for job, names in {
        "unit-test": ["junit.xml", "coverage.xml"],
        "scan": ["sbom.cdx.json", "findings.sarif"],
    }.items():
        for name in names:
            assert passed.artifact(f"autoclave-{job}", f".autoclave/reports/gateway/{name}").is_file(), name
    for job in JOBS[:3]:
        for kind, promised in passed.merged[f"autoclave-{job}"]["artifacts"]["reports"].items():
            path = promised["path"] if kind == "coverage_report" else promised
            assert list(passed.artifact(f"autoclave-{job}", "").glob(path)), kind


def test_a_second_pipeline_of_the_same_commit_deploys_nothing_twice(
    gitlab: GitLab, passed: Pipeline, sample: Repository
) -> None:
    (before,) = sample.containers()
    # Tests and scan are of the digest: if the build made another one now, the release gate would refuse them.
    jobs = [f"autoclave-{job}" for job in ("build", "sign", "deploy-staging")]
    again = gitlab.run(sample, *jobs, done=passed.artifacts_of("autoclave-unit-test", "autoclave-scan"))
    assert again.jobs == dict.fromkeys(jobs, "PASS")
    assert again.code == 0, again.log
    (after,) = sample.containers()
    assert after.id == before.id
    # The store of a job is its own: it has no record of the pipeline before.
    assert "exactly these digests run there, but no record here" in again.log_of("autoclave-deploy-staging")


def test_a_merge_request_gets_one_note_and_a_status_per_gate(
    gitlab: GitLab, merge_request: Pipeline, sample: Repository
) -> None:
    project = gitlab.project(sample)
    here = {
        **_MERGE_REQUEST,
        "CI_MERGE_REQUEST_IID": str(MERGE_REQUEST),
        "AUTOCLAVE_GITLAB_TOKEN": PROJECT_TOKEN,
    }
    for _ in range(2):
        # The stage, not the job by its name: whether the job is in the pipeline is for its rules to say.
        before = merge_request.artifacts_of(*(f"autoclave-{job}" for job in JOBS[:3]))
        pipeline = gitlab.run(sample, "--stage", ".post", done=before, **here)
        assert pipeline.jobs == {"autoclave-report": "PASS"}, pipeline.log
    (note,) = project.notes[MERGE_REQUEST]
    for text in ("unit-test", "scan", "passed"):
        assert text in note["body"]
    assert {each["name"]: each["status"] for each in project.statuses} == {
        "autoclave/build": "success",
        "autoclave/unit-test": "success",
        "autoclave/scan": "success",
    }


def test_a_merge_request_builds_tests_and_scans_and_releases_nothing(merge_request: Pipeline) -> None:
    assert merge_request.jobs == {f"autoclave-{job}": "PASS" for job in JOBS[:3]}
