"""Jobs on machines that share nothing: the tests run on another engine than the one that built."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from autoclave.store.layout import LayoutStore
from autoclave.store.oci import parse_manifest
from builders import registries
from builders.devices import KNOWN_BAD, Repository, copy_device
from pipelines.gitlab_local import WHOLE_FLOW, GitLab, records

BASE = "python:3.11-slim-bookworm"


# In a network of their own: the second engine would else take the first one's bridge for its own.
MACHINE = """
ip link set lo up
docker-registry serve config.yml &
exec dockerd --host "unix://$PWD/sock" --data-root "$PWD/data" --exec-root "$PWD/exec" --pidfile "$PWD/pid" \\
  --storage-driver overlay2
"""
REGISTRY = "127.0.0.1:5000"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A second engine, with its own images and its own builder; it knows the base image and nothing else.

    Beside it is a registry with a password, which only that engine reaches.
    """
    folder = tmp_path_factory.mktemp("engine")
    address = f"unix://{folder}/sock"
    registries.password_file(folder)
    (folder / "config.yml").write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}\n"
        f'http: {{addr: "{REGISTRY}"}}\nauth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}\n'
    )
    argv = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-ec", MACHINE]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log)
    try:
        client = _wait_for_engine(address)
        here = docker.from_env()
        client.images.load(here.images.get(BASE).save(named=BASE))
        here.close()
        yield address
        client.close()
    finally:
        process.kill()  # and with it everything in its own process space
        process.wait()
        shutil.rmtree(folder / "data", ignore_errors=True)


def _wait_for_engine(address: str) -> docker.DockerClient:
    for _ in range(480):
        argv = ["docker", "--host", address, "version"]
        if subprocess.run(argv, capture_output=True, check=False).returncode == 0:
            return docker.DockerClient(base_url=address)
        time.sleep(0.5)
    pytest.fail("the second engine does not answer: see its log")


def test_the_tests_run_on_the_released_layers_of_another_machine(
    gitlab: GitLab, device: Callable[[str, str], Repository], elsewhere: str
) -> None:
    other = f"\nautoclave-unit-test: {{variables: {{DOCKER_HOST: '{elsewhere}'}}}}\n"
    repository = device("control", WHOLE_FLOW + other)
    dockerfile = repository.folder / "Dockerfile"
    # Built again, the released stage would have another layer every time.
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
    made = records(pipeline.handover_folder("autoclave-deploy-staging", "deploy-staging") / "store")
    assert made["unit-test"]["digest"] == made["build"]["digest"]
    there = docker.DockerClient(base_url=elsewhere)
    assert [tag for image in there.images.list() for tag in image.tags if "autoclave-released/" in tag]
    there.close()


def test_a_build_takes_layers_from_the_cache_of_an_earlier_machine(tmp_path: Path, elsewhere: str) -> None:
    name = f"{REGISTRY}/devices/cache:main"
    login = {
        "CI_REGISTRY": REGISTRY,
        "CI_REGISTRY_USER": registries.USER,
        "CI_REGISTRY_PASSWORD": registries.PASSWORD,
        "DOCKER_HOST": elsewhere,
    }
    repository = copy_device(KNOWN_BAD / "control", tmp_path, name="t-cache")
    repository.edit("Dockerfile", "FROM ${BASE}", "FROM ${BASE}\nRUN date +%N >/made")
    repository.commit()
    kept = repository.run("build", "--cache-to", name, **login)
    assert f"layers kept for later builds in {name}" in kept.err
    first = layers(repository)
    forget(elsewhere)
    taken = repository.run("build", "--again", "--cache-from", name, **login)
    assert taken.code == 0, taken.err
    assert layers(repository) == first
    forget(elsewhere)
    alone = repository.run("build", "--again", **login)
    assert alone.code == 0, alone.err
    assert layers(repository) != first
    for done in (kept, taken, alone):
        assert registries.PASSWORD not in done.err + done.out


def test_a_cache_that_does_not_answer_changes_no_verdict(tmp_path: Path, elsewhere: str) -> None:
    repository = copy_device(KNOWN_BAD / "control", tmp_path, name="t-no-cache")
    name = "127.0.0.1:1/devices/cache:main"
    done = repository.run("build", "--cache-from", name, "--cache-to", name, DOCKER_HOST=elsewhere)
    assert done.code == 0, done.err
    assert f"WARNING: layers not kept in {name}" in done.err


def layers(repository: Repository) -> list[str]:
    """Return the layers of the image built last."""
    store = LayoutStore(repository.store)
    image = store.find("app")
    assert image
    return [layer.digest for layer in parse_manifest(store.read(image.digest), image.digest).layers]


def forget(engine: str) -> None:
    """Make a machine forget what it built, but for its base image."""
    client = docker.DockerClient(base_url=engine)
    for image in client.images.list(all=True):
        if BASE not in image.tags and image.tags != []:
            client.images.remove(image.id, force=True)
    client.images.prune(filters={"dangling": True})
    client.api.prune_builds(all=True)
    client.close()
