"""The admission policy on a real API server: only verified digests come in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from autoclave.targets.kubernetes.admission import make_policy
from autoclave.targets.kubernetes.manifests import dump
from cluster.cluster import Cluster

pytestmark = pytest.mark.xdist_group("cluster")

IMAGE = "registry.example/pump/gateway"
VERIFIED = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def pod(image: str, **spec: Any) -> str:
    containers = [{"name": "gateway", "image": image}]
    metadata = {"name": "gateway"}
    return json.dumps(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers} | spec}
    )


@pytest.fixture(scope="module")
def guarded(cluster: Cluster) -> Iterator[str]:
    """A namespace that the policy of one verified digest guards. No test here changes anything in it."""
    cluster.kubectl("create", "namespace", "guarded")
    text = dump(make_policy("pump", "guarded", [VERIFIED]))
    cluster.kubectl("apply", "--server-side", "-f-", stdin=text)
    # The API server learns of a policy within a moment, not at once.
    cluster.wait("the policy", 30, lambda: "not a verified release" in try_pod(cluster, "guarded", IMAGE)[1])
    yield "guarded"
    cluster.kubectl("delete", "-f-", stdin=text)
    cluster.kubectl("delete", "namespace", "guarded", "--wait=false")


def try_pod(cluster: Cluster, namespace: str, image: str, **spec: Any) -> tuple[int, str]:
    done = cluster.try_kubectl("apply", "--dry-run=server", "-n", namespace, "-f-", stdin=pod(image, **spec))
    return done.returncode, done.stdout + done.stderr


def test_a_verified_digest_comes_in(cluster: Cluster, guarded: str) -> None:
    code, said = try_pod(cluster, guarded, f"{IMAGE}@{VERIFIED}")
    assert code == 0, said
    code, said = try_pod(
        cluster,
        guarded,
        f"mirror.example:5000/x@{VERIFIED}",
        initContainers=[{"name": "first", "image": f"{IMAGE}@{VERIFIED}"}],
    )
    assert code == 0, said


REFUSED = [
    f"{IMAGE}@{OTHER}",
    f"{IMAGE}:1.0",
    IMAGE,
    f"{IMAGE}:{VERIFIED.replace(':', '-')}",
]


@pytest.mark.parametrize("image", REFUSED)
def test_another_image_is_refused_by_name(cluster: Cluster, guarded: str, image: str) -> None:
    code, said = try_pod(cluster, guarded, image)
    assert code != 0
    assert f"Autoclave: {image} is not a verified release of pump: release it with autoclave sign" in said


def test_an_init_container_is_judged_too(cluster: Cluster, guarded: str) -> None:
    first = [{"name": "first", "image": f"{IMAGE}@{OTHER}"}]
    code, said = try_pod(cluster, guarded, f"{IMAGE}@{VERIFIED}", initContainers=first)
    assert code != 0
    assert f"Autoclave: {IMAGE}@{OTHER} is not a verified release" in said


@pytest.fixture(scope="module")
def running(cluster: Cluster, guarded: str) -> str:
    """The same namespace with a pod of the verified digest."""
    cluster.kubectl("apply", "-n", guarded, "-f-", stdin=pod(f"{IMAGE}@{VERIFIED}"))
    return guarded


def test_a_debug_container_is_refused_in_a_pod_that_runs(cluster: Cluster, running: str) -> None:
    done = cluster.try_kubectl("debug", "gateway", "-n", running, "--image=busybox:1", "--", "sh")
    assert done.returncode != 0
    assert "Autoclave: busybox:1 is not a verified release of pump" in done.stderr


def test_the_image_of_a_running_pod_cannot_be_changed(cluster: Cluster, running: str) -> None:
    done = cluster.try_kubectl("set", "image", "pod/gateway", f"gateway={IMAGE}@{OTHER}", "-n", running)
    assert done.returncode != 0
    assert "not a verified release" in done.stderr


def test_other_namespaces_are_left_alone(cluster: Cluster, guarded: str) -> None:
    code, said = try_pod(cluster, "default", f"{IMAGE}:1.0")
    assert code == 0, said
