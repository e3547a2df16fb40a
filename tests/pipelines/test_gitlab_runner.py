"""Our templates in GitLab's own runner: what GitLab sees of a job, and what a job sees of others."""

from __future__ import annotations

import gzip
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import real_trivy
from builders.devices import KNOWN_BAD, ROOT, Repository, copy_device
from pipelines import gitlab_runner, own_project
from pipelines.gitlab_local import COMPONENT, TEMPLATES, VERSION, GitLab, records
from pipelines.gitlab_runner import PipelineResult
from worker_results import report

STEPS = ("build", "unit-test", "scan", "sign", "deploy-staging")
SECRET = "s3cret-of-the-group-0815"
SECRETS = {"GROUP_SECRET": SECRET}
TOLD = "status=%s digest=%s secret=[MASKED] end"
# What a project may add to a job of ours without any harm.
AFTER = """\
autoclave-{job}:
  after_script:
    - echo "status=$CI_JOB_STATUS digest=$AUTOCLAVE_DIGEST secret=$GROUP_SECRET end"
"""


def ci(image: str, engine: str = "socket", *, component: bool = False) -> str:
    """Return a CI file with the one include, of the template or of the component."""
    include = f"{{project: {TEMPLATES}, ref: {VERSION}, file: /pipelines/gitlab/autoclave.yml"
    if component:
        include = f"{{component: {COMPONENT}"
    include += f", inputs: {{job-image: '{image}', engine-access: {engine}}}}}"
    return f"include:\n  - {include}\n" + "".join(AFTER.format(job=job) for job in ("build", "scan", "sign"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The step image, of the layers that the tests of our own pipelines build too."""
    with own_project.step_image(tmp_path_factory.mktemp("image")) as tag:
        yield tag


@pytest.fixture(scope="module")
def helper(image: str) -> Iterator[str]:
    """The runner's helper image."""
    with gitlab_runner.helper_image(image) as tag:
        yield tag


def in_containers(
    gitlab: GitLab, repository: Repository, image: str, helper: str, folder: Path
) -> PipelineResult:
    """Run a device's pipeline with the docker executor and the engine's socket."""
    gitlab.device(repository, ci(image))
    settings = {"AUTOCLAVE_SCANNER_CACHE": "/database"} | real_trivy.NO_DOWNLOAD
    jobs = gitlab_runner.pipeline(gitlab, repository, settings, SECRETS)
    executor = gitlab_runner.with_socket(image, helper, gitlab_runner.open_database(folder))
    with gitlab_runner.serve(gitlab) as coordinator:
        return gitlab_runner.run(coordinator, jobs, folder / "runner", executor)


def in_shell(gitlab: GitLab, repository: Repository, image: str, folder: Path, *only: str) -> PipelineResult:
    """Run a device's pipeline, or some of its jobs, as the user of the runner, which uses no image."""
    gitlab.device(repository, ci(image))
    settings = real_trivy.job_settings()
    settings["XDG_CONFIG_HOME"] = f"{folder}/keys/$CI_JOB_NAME"
    jobs = gitlab_runner.pipeline(gitlab, repository, settings, SECRETS, only=only)
    executor = gitlab_runner.shell_executor(folder / "runner")
    with gitlab_runner.serve(gitlab) as coordinator:
        return gitlab_runner.run(coordinator, jobs, folder / "runner", executor)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """The good one among the known-bad devices."""
    repository = copy_device(KNOWN_BAD / "control", tmp_path_factory.mktemp("good"), name="t-runner-good")
    yield repository
    repository.remove()


@pytest.fixture(scope="module")
def passed(
    gitlab: GitLab, good: Repository, image: str, helper: str, tmp_path_factory: pytest.TempPathFactory
) -> PipelineResult:
    """Its pipeline in containers."""
    ran = in_containers(gitlab, good, image, helper, tmp_path_factory.mktemp("docker"))
    assert ran.states == dict.fromkeys(STEPS, "success"), "".join(map(ran.log, STEPS))
    return ran


@pytest.fixture(scope="module")
def closed(
    gitlab: GitLab, image: str, helper: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[PipelineResult, Repository]]:
    """The pipeline of a device with a vulnerable package."""
    folder = tmp_path_factory.mktemp("closed")
    repository = copy_device(KNOWN_BAD / "vulnerable-package", folder, name="t-runner-bad")
    yield in_containers(gitlab, repository, image, helper, folder), repository
    repository.remove()


def digest(ran: PipelineResult) -> str:
    """Return the digest that the build job passed on."""
    return ran.job("build").dotenv["AUTOCLAVE_DIGEST"]


def test_a_device_is_released_to_staging_by_jobs_of_the_docker_executor(
    gitlab: GitLab, passed: PipelineResult, good: Repository
) -> None:
    assert passed.coordinator.violations == []
    assert {job.exit_code for job in passed.jobs.values()} == {0}
    (container,) = good.containers()
    assert container.status == "running"
    (staging,) = gitlab.project(good).environments
    assert digest(passed).removeprefix("app=") in staging["description"]
    report(f"GitLab Runner, docker executor: {len(passed.jobs)} jobs passed; {digest(passed)}")


def test_the_digest_is_passed_on_as_a_variable(passed: PipelineResult) -> None:
    assert digest(passed).startswith("app=sha256:")
    assert passed.job("build").artifact("dotenv").name == ".env.gz"
    for step in STEPS[1:]:
        (sent,) = [each for each in passed.job(step).sent["variables"] if each["key"] == "AUTOCLAVE_DIGEST"]
        assert sent["value"] == digest(passed)
    for step in ("scan", "sign"):
        assert TOLD % ("success", digest(passed)) in passed.log(step)


def test_after_script_knows_how_the_job_ended(
    passed: PipelineResult, closed: tuple[PipelineResult, Repository]
) -> None:
    assert "status=success" in passed.log("build")
    assert TOLD % ("failed", digest(closed[0])) in closed[0].log("scan")


def test_a_masked_secret_and_the_token_of_a_job_reach_no_log_and_no_artifact(
    passed: PipelineResult, closed: tuple[PipelineResult, Repository]
) -> None:
    for ran in (passed, closed[0]):
        assert SECRET not in ran.runner
        for job in ran.jobs.values():
            assert SECRET.encode() not in job.trace
            assert not job.token or job.token.encode() not in job.trace
            assert not any(
                SECRET.encode() in each.content for each in job.artifacts if each.kind != "archive"
            )
    assert (TOLD % ("success", "")) in passed.log("build")


def test_private_keys_stay_in_the_job_that_made_them(passed: PipelineResult) -> None:
    for step in STEPS:
        with passed.archive(step) as archive:
            # Not the image's layers: libraries in them hold those words.
            small = [each for each in archive.infolist() if each.file_size < 1 << 20]
            assert [each.filename for each in small if b"PRIVATE KEY" in archive.read(each)] == []
            assert [each.filename for each in small if each.filename.endswith(".pub")]


def test_the_log_has_the_sections_that_gitlab_folds(passed: PipelineResult) -> None:
    trace = passed.job("build").trace
    (name,) = re.findall(rb"section_start:\d+:(autoclave_build_\d+)", trace)
    folded = trace[trace.index(name) : trace.rindex(name)]
    assert b"exporting to image" in folded
    assert "✔ passed app".encode() in trace[trace.rindex(name) :]


def test_reports_arrive_in_the_types_that_gitlab_shows(passed: PipelineResult) -> None:
    junit = ET.fromstring(gzip.decompress(passed.job("unit-test").artifact("junit").content))
    assert [case.attrib["name"] for case in junit.iter("testcase")]
    sbom = json.loads(gzip.decompress(passed.job("scan").artifact("cyclonedx").content))
    assert sbom["bomFormat"] == "CycloneDX"
    findings = json.loads(passed.job("scan").artifact("container_scanning").content)
    assert findings["scan"]["type"] == "container_scanning"


def test_artifacts_of_a_job_are_read_by_the_jobs_that_need_it(passed: PipelineResult, tmp_path: Path) -> None:
    for step in STEPS[1:]:
        names = [each["name"] for each in passed.job(step).sent["dependencies"]]
        assert names == list(passed.job(step).needs)
        assert "no job left anything" not in passed.log(step)
    passed.archive("deploy-staging").extractall(tmp_path)
    made = records(tmp_path / ".autoclave/handover/deploy-staging/store")
    assert set(made) == {"build", "unit-test", "scan", "sign", "deploy", "seal"}
    assert all(each["passed"] for each in made.values())


def test_a_closed_gate_is_a_failed_job_with_the_exit_code_of_the_gate(
    closed: tuple[PipelineResult, Repository],
) -> None:
    ran, repository = closed
    ended = dict.fromkeys(STEPS, "success") | {
        "scan": "failed",
        "sign": "skipped",
        "deploy-staging": "skipped",
    }
    assert ran.states == ended, ran.log("scan")
    scan = ran.job("scan")
    assert (scan.exit_code, scan.failure_reason) == (23, "script_failure")
    assert "high CVE-2019-10906 in Jinja2 2.10 (fixed in 2.10.1)" in ran.log("scan")
    assert ran.log("scan").rstrip().endswith("ERROR: Job failed: exit code 23")
    assert repository.containers() == []
    assert ran.coordinator.violations == []


def test_a_closed_gate_is_not_tried_again(closed: tuple[PipelineResult, Repository]) -> None:
    scan = closed[0].job("scan")
    assert (scan.retries, scan.attempts) == (2, 1)
    assert scan.failure_reason not in scan.retried_when


def test_a_failed_job_leaves_its_evidence_all_the_same(
    closed: tuple[PipelineResult, Repository], tmp_path: Path
) -> None:
    found = json.loads(closed[0].job("scan").artifact("container_scanning").content)["vulnerabilities"]
    assert "CVE-2019-10906" in {each["identifiers"][0]["value"] for each in found}
    closed[0].archive("scan").extractall(tmp_path)
    made = records(tmp_path / ".autoclave/handover/scan/store")
    assert made["scan"]["passed"] is False


def test_a_missing_image_is_a_failure_of_the_runner_not_of_the_script(
    gitlab: GitLab, good: Repository, image: str, tmp_path: Path
) -> None:
    gitlab.device(good, ci(image))
    jobs = gitlab_runner.pipeline(gitlab, good, {}, only=("build",))
    jobs[0].retries = 0  # once is enough: the runner itself tries three times
    executor = gitlab_runner.docker_executor(image, "127.0.0.1:9/no-such-helper:1", pull_policy="never")
    with gitlab_runner.serve(gitlab) as coordinator:
        ran = gitlab_runner.run(coordinator, jobs, tmp_path, executor)
    build = ran.job("build")
    assert (build.state, build.failure_reason) == ("failed", "runner_system_failure")
    assert build.failure_reason in build.retried_when


def test_the_same_device_passes_with_the_shell_executor(
    gitlab: GitLab, passed: PipelineResult, good: Repository, image: str, tmp_path: Path
) -> None:
    good.remove()  # what the docker executor deployed
    ran = in_shell(gitlab, good, image, tmp_path)
    assert ran.states == dict.fromkeys(STEPS, "success"), ran.log("build")
    assert ran.coordinator.violations == []
    assert ran.job("unit-test").artifact("junit").content
    assert TOLD % ("success", digest(ran)) in ran.log("sign")
    assert [each.status for each in good.containers()] == ["running"]


def test_the_component_runs_and_fetches_the_database_in_the_job(
    gitlab: GitLab, image: str, helper: str, tmp_path: Path
) -> None:
    """The whole flow by the component; its scan job fetches the database, which the runner's cache keeps."""
    repository = copy_device(KNOWN_BAD / "control", tmp_path / "component", name="t-runner-component")
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    saved = repository.run("database", "update", "--from", "none", "--save", str(mirror / "trivy.tar.gz"))
    assert saved.code == 0, saved.err
    gitlab.device(repository, ci(image, component=True))
    settings = {"AUTOCLAVE_DATABASE_FROM": "/database/trivy.tar.gz"}
    jobs = gitlab_runner.pipeline(gitlab, repository, settings, SECRETS)
    executor = gitlab_runner.with_socket(image, helper, mirror)
    try:
        with gitlab_runner.serve(gitlab) as coordinator:
            ran = gitlab_runner.run(coordinator, jobs, tmp_path / "runner", executor)
        assert ran.states == dict.fromkeys(STEPS, "success"), ran.log("scan")
        assert ran.coordinator.violations == []
        log = ran.log("scan")
        assert re.search(r"trivy: of \d{4}-\d\d-\d\d \d\d:\d\d UTC, [\d.]+ h old", log), log
        assert "autoclave-database-protected" in log, log
        assert "Created cache" in log, log
        report(
            f"GitLab's runner, component {COMPONENT}: {', '.join(STEPS)} passed, database fetched in the job"
        )
    finally:
        repository.remove()


def test_reports_of_several_images_arrive_as_one(gitlab: GitLab, image: str, tmp_path: Path) -> None:
    """The runner takes one file as a raw report, and fails the job for a second one."""
    repository = copy_device(ROOT / "tests/fixtures/two-images", tmp_path / "two", name="t-runner-two")
    try:
        ran = in_shell(gitlab, repository, image, tmp_path, "build", "scan")
        assert ran.states == {"build": "success", "scan": "success"}, ran.log("scan")
        assert ran.coordinator.violations == []
        json.loads(ran.job("scan").artifact("container_scanning").content)
    finally:
        repository.remove()


def test_an_engine_behind_tls_as_a_service_builds_and_tests(
    gitlab: GitLab, image: str, helper: str, tmp_path: Path
) -> None:
    """`engine-access: dind`, as far as it can be had without a container in a container: see dind_image."""
    repository = copy_device(KNOWN_BAD / "control", tmp_path, name="t-runner-dind")
    gitlab.device(repository, ci(image, engine="dind"))
    jobs = gitlab_runner.pipeline(gitlab, repository, {}, only=("build", "unit-test"))
    try:
        with gitlab_runner.dind_image() as service, gitlab_runner.network() as (name, address):
            for job in jobs:
                (said,) = job.payload["services"]
                assert said == {"name": "docker:28-dind", "alias": "docker"}
                said["name"] = service
            # The jobs have no socket where they would look for one: what they reach is the service.
            volumes = ["/certs/client", f"{gitlab_runner.SOCKET}:/engine.sock"]
            executor = gitlab_runner.docker_executor(image, helper, network_mode=name, volumes=volumes)
            with gitlab_runner.serve(gitlab, address) as coordinator:
                ran = gitlab_runner.run(coordinator, jobs, tmp_path / "runner", executor)
        assert ran.states == {"build": "success", "unit-test": "success"}, ran.log("build")
        assert ran.coordinator.violations == []
    finally:
        repository.remove()
