"""Autoclave's step image, built, tested, scanned, signed and published by the root's own pipelines."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from builders import real_trivy, registries
from builders.devices import ROOT, SAMPLE, Repository, copy_device, git
from pipelines import jenkins_unit, own_project
from pipelines.gitlab_local import GitLab, Pipeline, records
from pipelines.jenkins_unit import Build, Scenario
from worker_results import report

pytestmark = pytest.mark.timeout(1800)  # whole pipelines, on a machine that others use too
STEPS = ("build", "unit-test", "scan", "sign")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """This repository, as a device.

    The tests' advisory database is partial, so nothing of theirs may reach production: the environment that
    publishes has an exempt name here, and releases go to it by themselves.
    """
    with own_project.project(tmp_path_factory.mktemp("own")) as repository:
        repository.edit("autoclave.toml", 'name = "published"', 'name = "test"')
        repository.edit(".gitlab-ci.yml", "staging: none", "staging: test")
        repository.edit(".gitlab-ci.yml", "production: published", "production: none")
        repository.commit()
        yield repository


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The registry that the image is published in."""
    with registries.serve_with_referrers(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture(scope="module")
def on_gitlab(gitlab: GitLab, project: Repository, registry: str) -> Pipeline:
    """The root's .gitlab-ci.yml."""
    gitlab.device(project, (project.folder / ".gitlab-ci.yml").read_text("utf-8"))
    pipeline = gitlab.run(
        project,
        CI_REGISTRY_IMAGE=f"{registry}/autoclave",
        AUTOCLAVE_STORE=f"oci+http://{registry}/autoclave",  # a registry without a certificate
        XDG_CACHE_HOME=str(_cache()),
    )
    assert pipeline.code == 0, pipeline.log
    return pipeline


@pytest.fixture(scope="module")
def on_jenkins(on_gitlab: Pipeline, project: Repository, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The root's Jenkinsfile, on the same commit."""
    scenario = Scenario(
        project, (ROOT / "Jenkinsfile").read_text("utf-8"), agent={"XDG_CACHE_HOME": str(_cache())}
    )
    (build,) = jenkins_unit.run(tmp_path_factory.mktemp("jenkins"), scenario)
    assert build.said["result"] == "SUCCESS", build.log
    return build


@pytest.fixture(scope="module")
def image(on_gitlab: Pipeline, registry: str) -> str:
    """The published image, pulled by its version into the engine."""
    reference = f"{registry}/autoclave:0.1.0"
    pulled = docker.from_env().images.pull(reference)
    assert f"{registry}/autoclave@{digest_on(on_gitlab)}" in pulled.attrs["RepoDigests"]
    return reference


def digest_on(pipeline: Pipeline) -> str:
    """Return the digest that the release gate passed on."""
    left = pipeline.artifact("autoclave-sign", ".autoclave/handover/sign/digests.env").read_text("utf-8")
    line, release = left.splitlines()
    assert line.startswith("AUTOCLAVE_DIGEST=steps=sha256:"), left
    assert release.startswith("AUTOCLAVE_RELEASE=sha256:"), left
    return line.rpartition("=")[2]


def test_gitlab_builds_tests_scans_signs_and_publishes_the_step_image(on_gitlab: Pipeline) -> None:
    jobs = ["step-tools", *(f"autoclave-{step}" for step in STEPS), "autoclave-deploy-test"]
    assert on_gitlab.jobs == dict.fromkeys(jobs, "PASS")
    published = f"{digest_on(on_gitlab)} is 127.0.0.1"
    assert published in on_gitlab.log_of("autoclave-deploy-test")


def test_jenkins_makes_the_same_image_with_the_same_verdicts(
    on_gitlab: Pipeline, on_jenkins: Build, project: Repository, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", str(project.folder), "laptop")
    laptop = Repository(tmp_path / "laptop", tmp_path / "home")
    done = laptop.run("run", "--to", "sign")
    assert done.code == 0, done.err
    here = records(laptop.store)
    there = records(on_jenkins.folder / "stashes/autoclave-sign/sign/store")
    digest = digest_on(on_gitlab)
    for step in STEPS:
        assert here[step]["passed"] is there[step]["passed"] is True, step
        assert here[step]["digest"] == there[step]["digest"] == digest, step
    for step in STEPS[:3]:
        assert here[step]["inputs"] == there[step]["inputs"], step
    report(f"step image on the laptop, in GitLab and in Jenkins: {digest}")


def test_the_image_is_small_enough_starts_fast_and_is_not_root(image: str) -> None:
    engine = docker.from_env()
    about = engine.images.get(image)
    assert about.attrs["Config"]["User"] == "10001:0"
    seconds = []
    for _ in range(5):
        started = time.monotonic()
        said = engine.containers.run(image, ["autoclave", "--version"], remove=True)
        seconds.append(time.monotonic() - started)
        assert said == b"autoclave 0.1.0 (built outside of git)\n"  # its provenance record names the commit
    size = about.attrs["Size"] / 1e6
    report(
        f"step image: {size:.0f} MB, starts and answers in {statistics.median(seconds):.2f} s (median of 5)"
    )
    assert size < 800


def test_the_scan_of_the_step_image_is_reported(on_gitlab: Pipeline) -> None:
    trivy = json.loads(
        on_gitlab.artifact("autoclave-scan", ".autoclave/reports/steps/findings.json").read_text("utf-8")
    )
    found = [each for part in trivy["Results"] for each in part.get("Vulnerabilities") or []]
    packages = sum(len(part.get("Packages") or []) for part in trivy["Results"])
    line = next(line for line in on_gitlab.log_of("autoclave-scan").splitlines() if "✔ passed" in line)
    report(
        f"step image's scan (the tests' partial database): {packages} packages, {len(found)} findings: {line}"
    )
    assert packages > 100


def test_the_sample_passes_the_flow_inside_the_step_image(image: str, tmp_path: Path) -> None:
    repository = copy_device(SAMPLE, tmp_path, name="t-in-step-image")
    subprocess.run(["chmod", "-R", "g+rwX", str(tmp_path)], check=True)
    socket = Path("/var/run/docker.sock")
    database = os.path.realpath(real_trivy.cache())
    try:
        said = (
            docker.from_env()
            .containers.run(
                image,
                ["autoclave", "run", "--to", "sign"],
                remove=True,
                stderr=True,
                working_dir="/workspace",
                group_add=[str(socket.stat().st_gid)],
                environment={"AUTOCLAVE_SCANNER_CACHE": "/database"},
                volumes={
                    str(socket): {"bind": str(socket), "mode": "rw"},
                    str(repository.folder): {"bind": "/workspace", "mode": "rw"},
                    database: {"bind": "/database", "mode": "rw"},
                },
            )
            .decode()
        )
        made = records(repository.store)
        assert set(made) == {*STEPS, "seal"}, said
        assert all(each["passed"] for each in made.values()), said
        assert "✔ passed gateway" in said
    finally:
        repository.remove()


def _cache() -> Path:
    """Return the cache folder of set-up: a runner keeps it between jobs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
