"""The same flow over a registry with a password: jobs on machines that share nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import registries
from builders.devices import SAMPLE, Repository, copy_device, git
from builders.flow import make_keys
from pipelines.gitlab_local import WHOLE_FLOW, GitLab, Pipeline
from worker_results import report

JOBS = ["build", "unit-test", "scan", "sign", "deploy-staging"]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's registry for one user."""
    with registries.serve_with_password(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture(scope="module")
def login(registry: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables with which GitLab describes its registry to jobs, and the organisation's own."""
    folder = tmp_path_factory.mktemp("organisation") / "keys"
    make_keys(folder)
    return {
        "AUTOCLAVE_TRUST": f"{folder}/trust.toml",
        "AUTOCLAVE_KEY": f"file:{folder}/steps.pem",
        "AUTOCLAVE_RELEASE_KEY": f"file:{folder}/release.pem",
        "CI_REGISTRY": registry,
        "CI_REGISTRY_IMAGE": f"{registry}/devices/oximeter",
        "CI_REGISTRY_USER": registries.USER,
        "CI_REGISTRY_PASSWORD": registries.PASSWORD,
    }


@pytest.fixture(scope="module")
def sample(gitlab: GitLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """The pulse oximeter as a project whose store is its GitLab registry."""
    repository = copy_device(SAMPLE, tmp_path_factory.mktemp("sample"), name="t-gitlab-registry")
    gitlab.device(repository, WHOLE_FLOW + '    inputs: {store: "oci://$CI_REGISTRY_IMAGE/autoclave"}\n')
    yield repository
    repository.remove()


@pytest.fixture(scope="module")
def passed(gitlab: GitLab, sample: Repository, login: dict[str, str]) -> Pipeline:
    """Its pipeline, over the registry."""
    pipeline = gitlab.run(sample, **login)
    assert pipeline.code == 0, pipeline.log
    return pipeline


def test_the_flow_passes_over_a_registry(passed: Pipeline, sample: Repository) -> None:
    assert passed.jobs == {f"autoclave-{job}": "PASS" for job in JOBS}
    assert len(sample.containers()) == 1
    # Image and records are in the registry; the jobs left each other digests and public keys alone.
    assert not list(passed.artifacts.rglob("handover/*/store"))


def test_digest_and_records_are_those_of_a_local_run(
    passed: Pipeline, sample: Repository, login: dict[str, str], tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", str(sample.folder), "laptop")
    store = f"oci://{login['CI_REGISTRY_IMAGE']}/autoclave"
    laptop = Repository(tmp_path / "laptop", tmp_path / "home", sample.port, more=dict(login))
    # With the organisation's keys and trust, the records of the jobs hold on the laptop as well.
    done = laptop.run("run", "--store", store)
    assert done.code == 0, done.err
    assert done.err.count("↷ skipped") == 5, done.err
    alone = Repository(tmp_path / "laptop", tmp_path / "home", sample.port)  # its own layout and keys
    by_itself = alone.run("run", "--to", "scan")
    assert by_itself.out == done.out
    report(f"over a registry with a password, and alone on a laptop: {by_itself.out.strip()}")


def test_the_password_is_in_no_log_and_no_artifact(passed: Pipeline) -> None:
    assert registries.PASSWORD not in passed.log
    files = [path for path in passed.artifacts.rglob("*") if path.is_file()]
    assert [path for path in files if registries.PASSWORD.encode() in path.read_bytes()] == []


def test_a_rollback_pipeline_deploys_an_earlier_digest_by_verifying_it_again(
    gitlab: GitLab, passed: Pipeline, sample: Repository, login: dict[str, str]
) -> None:
    line = (passed.handover_folder("autoclave-build", "build") / "digests.env").read_text("utf-8")
    earlier = line.strip().removeprefix("AUTOCLAVE_DIGEST=")
    source = sample.folder / "oximeter" / "__init__.py"
    source.write_text(source.read_text("utf-8") + "\nCHANGED = True\n", "utf-8")
    gitlab.device(sample, (sample.folder / ".gitlab-ci.yml").read_text("utf-8"))
    newer = gitlab.run(sample, **login)
    assert newer.code == 0, newer.log
    assert earlier.partition("=")[2] not in newer.log_of("autoclave-deploy-staging")
    back = gitlab.run(sample, AUTOCLAVE_ROLLBACK_TO=earlier, AUTOCLAVE_ROLLBACK_IN="staging", **login)
    assert back.jobs == {"autoclave-rollback-staging": "PASS"}, back.log
    assert earlier.partition("=")[2] in back.log_of("autoclave-rollback-staging")
    (container,) = sample.containers()
    assert container.labels["dev.autoclave.digest"] == earlier.partition("=")[2]


def test_without_the_password_nothing_is_built_and_the_message_says_how(
    gitlab: GitLab, passed: Pipeline, sample: Repository, login: dict[str, str]
) -> None:
    pipeline = gitlab.run(sample, "autoclave-build", **{**login, "CI_REGISTRY_PASSWORD": "wrong-password"})
    assert pipeline.jobs == {"autoclave-build": "FAIL"}
    said = pipeline.log_of("autoclave-build")
    assert "401" in said
    assert "CI_REGISTRY_USER" in said
    assert "wrong-password" not in pipeline.log
