"""One cluster and one registry for the tests here, one namespace for each test.

Each worker that gets some of the tests has a cluster of its own, which costs 4 s of CPU and then a twentieth
of a processor: less than to hand one from worker to worker. It ends with the last of these tests there.
What shares set-up is kept together: the groups are `cluster` and `cluster-released`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.registries import serve_with_referrers
from cluster import clinics
from cluster.clinics import Clinic, ReleasedVersions
from cluster.cluster import Cluster, start
from worker_results import report

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """A real cluster of one node; see cluster.py."""
    with start() as started:
        first = sum(started.memory().values())
        yield started
        last = sum(started.memory().values())
        report(f"cluster: ready in {started.start_seconds:.1f} s; {first} MiB then, {last} MiB at the end")


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A fresh namespace. At the end it goes away beside the next test, with all that is in it."""
    name = f"test-{next(_NUMBERS)}"
    cluster.kubectl("create", "namespace", name)
    yield name
    # Without waiting for each pod to end by itself: the test is over.
    cluster.kubectl("delete", "all", "--all", "-n", name, "--now", "--wait=false")
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="package")
def registry(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry on a loopback port, under the same address for this machine and for the node."""
    with serve_with_referrers(tmp_path_factory.mktemp("registry")) as address:
        cluster.reach(int(address.rpartition(":")[2]))
        yield address


@pytest.fixture(scope="package")
def released(registry: str, tmp_path_factory: pytest.TempPathFactory) -> ReleasedVersions:
    """A device whose versions are released into the registry."""
    return clinics.release_versions(registry, tmp_path_factory.mktemp("released"))


@pytest.fixture
def clinic(released: ReleasedVersions, cluster: Cluster, namespace: str, tmp_path: Path) -> Clinic:
    """That device's environment in a namespace of its own."""
    return clinics.make_clinic(released, cluster, namespace, tmp_path)
