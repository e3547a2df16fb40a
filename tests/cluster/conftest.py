"""One cluster and one registry for the session, one namespace for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import deploying
from cluster.cluster import Cluster, running
from cluster.deploying import Clinic, Released
from gathering import report
from integration.registries import with_referrers

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A real cluster of one node; see cluster.py."""
    with running() as started:
        first = sum(started.memory().values())
        yield started
        last = sum(started.memory().values())
        report(f"cluster: ready in {started.start_seconds:.1f} s; {first} MiB then, {last} MiB at the end")


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A fresh namespace. At the end its pods are gone; the rest follows beside the next test."""
    name = f"test-{next(_NUMBERS)}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "all", "--all", "-n", name, "--now", "--timeout=60s")
    cluster.kubectl("wait", "--for=delete", "pods", "--all", "-n", name, "--timeout=60s")
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def registry(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry on a loopback port, under the same address for this machine and for the node."""
    with with_referrers(tmp_path_factory.mktemp("registry")) as address:
        cluster.reach(int(address.rpartition(":")[2]))
        yield address


@pytest.fixture(scope="session")
def released(registry: str, tmp_path_factory: pytest.TempPathFactory) -> Released:
    """A device whose versions are released into the registry."""
    return deploying.released(registry, tmp_path_factory.mktemp("released"))


@pytest.fixture
def clinic(released: Released, cluster: Cluster, namespace: str, tmp_path: Path) -> Clinic:
    """That device's environment in a namespace of its own."""
    return deploying.clinic(released, cluster, namespace, tmp_path)
