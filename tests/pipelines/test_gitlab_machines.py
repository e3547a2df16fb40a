"""Jobs on machines that share nothing: the tests run on another engine than the one that built."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from integration.devices import Repository
from pipelines.gitlab_local import WHOLE_FLOW, GitLab, records

BASE = "python:3.11-slim-bookworm"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A second engine, with its own images and its own builder; it knows the base image and nothing else."""
    folder = tmp_path_factory.mktemp("engine")
    address = f"unix://{folder}/sock"
    # In a network of its own: without a bridge, it would take down the first engine's.
    argv = [
        "unshare",
        "--net",
        "dockerd",
        "--host",
        address,
        "--data-root",
        f"{folder}/data",
        "--exec-root",
        f"{folder}/exec",
    ]
    argv += ["--pidfile", f"{folder}/pid", "--bridge", "none", "--iptables=false"]
    argv += ["--storage-driver", "overlay2"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        client = _answering(address)
        here = docker.from_env()
        client.images.load(here.images.get(BASE).save(named=BASE))
        here.close()
        yield address
        client.close()
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder / "data", ignore_errors=True)


def _answering(address: str) -> docker.DockerClient:
    for _ in range(120):
        if Path(address.removeprefix("unix://")).exists():
            return docker.DockerClient(base_url=address)
        time.sleep(0.5)
    pytest.fail("the second engine does not answer: see its log")


def test_the_tests_stand_on_the_released_layers_of_another_machine(
    gitlab: GitLab, device: Callable[[str, str], Repository], elsewhere: str
) -> None:
    other = f"\nautoclave-unit-test: {{variables: {{DOCKER_HOST: '{elsewhere}'}}}}\n"
    repository = device("control", WHOLE_FLOW + other)
    dockerfile = repository.folder / "Dockerfile"
    # Made anew, the released stage would have another layer every time.
    text = dockerfile.read_text("utf-8").replace(
        "FROM ${BASE}", "FROM ${BASE} AS release\nRUN date +%N >/made"
    )
    dockerfile.write_text(text + "\nFROM release AS test\nCOPY tests /more-tests\n", "utf-8")
    (repository.folder / ".dockerignore").write_text(".autoclave\n.gitlab-ci-reports\n", "utf-8")
    repository.edit("autoclave.toml", 'name = "app"\n', 'name = "app"\ntarget = "release"\n')
    repository.edit("autoclave.toml", "[unit-test]\n", '[unit-test]\nstage = "test"\n')
    gitlab.device(repository, WHOLE_FLOW + other)
    pipeline = gitlab.run(repository)
    assert pipeline.code == 0, pipeline.log
    made = records(pipeline.handed_on("autoclave-deploy-staging", "deploy-staging") / "store")
    assert made["unit-test"]["digest"] == made["build"]["digest"]
    there = docker.DockerClient(base_url=elsewhere)
    assert [tag for image in there.images.list() for tag in image.tags if "autoclave-released/" in tag]
    there.close()
