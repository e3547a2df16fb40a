"""The state kept in the cluster for a restore: read as it was written, and damage is an error."""

from __future__ import annotations

from typing import Any, cast

import pytest

from autoclave.errors import ClusterError
from autoclave.targets.base import Unhealthy
from autoclave.targets.kubernetes.kubectl import Kubectl
from autoclave.targets.kubernetes.objects import read_digests
from autoclave.targets.kubernetes.state import (
    AppliedObjects,
    RolloutState,
    adopt_live,
    find_missing,
    find_state,
    title,
    write,
)
from builders.memory_cluster import MemoryCluster

DIGEST = "sha256:" + "a" * 64


def deployment(name: str = "gateway") -> dict[str, Any]:
    pods = {
        "metadata": {"annotations": {"dev.autoclave.images": '{"app": "gateway"}'}},
        "spec": {"containers": [{"name": "app", "image": f"r.example/pump@{DIGEST}"}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"template": pods},
    }


def test_it_is_read_as_it_was_written() -> None:
    cluster = MemoryCluster()
    state = RolloutState(
        AppliedObjects([deployment()], {"gateway": "sha256:1"}), AppliedObjects([], created=["Service/x"])
    )
    write(cast(Kubectl, cluster), "pump", "clinic", state)
    assert find_state(list(cluster.objects.values()), "pump", "clinic") == state
    assert find_state(list(cluster.objects.values()), "pump", "ward") == RolloutState()


def test_damage_is_an_error_and_not_an_empty_answer() -> None:
    cluster = MemoryCluster()
    write(cast(Kubectl, cluster), "pump", "clinic", RolloutState(AppliedObjects([deployment()])))
    (kept,) = cluster.objects.values()
    kept["data"]["current"] = kept["data"]["current"][:-20]
    with pytest.raises(ClusterError, match="is damaged"):
        find_state(list(cluster.objects.values()), "pump", "clinic")


def test_live_objects_are_taken_as_their_makers_wrote_them() -> None:
    live = deployment() | {"status": {"replicas": 3}}
    live["metadata"] |= {"uid": "1", "resourceVersion": "5", "managedFields": [{}], "labels": {"a": "b"}}
    found = adopt_live([live])
    assert found is not None
    assert found.objects[0]["metadata"] == {"name": "gateway", "labels": {"a": "b"}}
    assert "status" not in found.objects[0]
    assert adopt_live([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}]) is None


def test_titles_name_the_group() -> None:
    assert title(deployment()) == "Deployment.apps/gateway"
    assert title({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}}) == "Service/x"
    assert find_missing([deployment(), deployment("b")], [deployment()]) == ["Deployment.apps/b"]


def test_the_digest_of_each_image_is_read_from_what_was_applied() -> None:
    assert read_digests(
        [deployment(), {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}}]
    ) == {"gateway": DIGEST}


@pytest.mark.parametrize("labels", [{}, {"dev.autoclave.device": "glucose"}])
def test_a_config_map_of_somebody_else_is_neither_read_nor_written(labels: dict[str, str]) -> None:
    cluster = MemoryCluster()
    write(cast(Kubectl, cluster), "pump", "ward", RolloutState(AppliedObjects([deployment()])))
    (theirs,) = cluster.objects.values()
    theirs["metadata"]["labels"] = labels
    assert find_state([theirs], "pump", "ward") == RolloutState()
    with pytest.raises(Unhealthy, match=r"ConfigMap/autoclave\.pump\.ward is somebody else's"):
        write(cast(Kubectl, cluster), "pump", "ward", RolloutState())
    assert list(cluster.objects.values()) == [theirs]


def test_the_states_of_two_devices_never_share_a_name() -> None:
    cluster = MemoryCluster()
    one, other = RolloutState(AppliedObjects([deployment()])), RolloutState()
    write(cast(Kubectl, cluster), "glucose-test", "clinic", one)
    write(cast(Kubectl, cluster), "glucose", "test-clinic", other)
    kept = list(cluster.objects.values())
    assert find_state(kept, "glucose-test", "clinic") == one
    assert find_state(kept, "glucose", "test-clinic") == other
