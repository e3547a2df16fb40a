"""What has one of our names in the engine without our labels is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from builders.devices import KNOWN_BAD
from builders.prepared_devices import prepare


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    made = docker.from_env()
    yield made
    made.close()


def test_a_network_and_a_container_of_somebody_else_are_left_alone(
    tmp_path: Path, client: docker.DockerClient
) -> None:
    with prepare(KNOWN_BAD / "control", tmp_path, to="sign") as repository:
        name = f"autoclave_{repository.name}_staging"
        network = client.networks.create(name)
        try:
            refused = repository.run("deploy", "staging")
            assert refused.code == 25, refused.err
            assert f"the network {name} belongs to somebody else" in refused.message
            assert [each.id for each in client.networks.list(names=[name])] == [network.id]
        finally:
            network.remove()
        assert repository.run("deploy", "staging").code == 0
        (ours,) = repository.containers()
        assert ours.name == f"{name}_app"
        (made,) = client.networks.list(names=[name])
        assert made.attrs["Labels"]["dev.autoclave.device"] == repository.name
        image = ours.image.id
        ours.remove(force=True)
        theirs = client.containers.create(image, name=f"{name}_app")
        try:
            refused = repository.run("deploy", "staging")
            assert refused.code == 25, refused.err
            assert f"the container {name}_app belongs to somebody else" in refused.message
            assert client.containers.get(f"{name}_app").id == theirs.id
        finally:
            theirs.remove(force=True)
