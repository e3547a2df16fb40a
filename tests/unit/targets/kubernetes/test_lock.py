"""The lease of an environment: a deployment whose lock cannot be renewed stops."""

from __future__ import annotations

import threading
import time
from typing import cast

import pytest

from autoclave.errors import Busy, ClusterError, DeployFailed, ToolError
from autoclave.targets.kubernetes import lock
from autoclave.targets.kubernetes.kubectl import Kubectl
from builders.memory_cluster import MemoryCluster

CLAIM = lock.Claim(device="pump", environment="ward", owner="here:1")


@pytest.mark.parametrize(
    ("error", "stopped"),
    [
        (ToolError("kubectl is missing"), "its lock cannot be renewed: kubectl is missing"),
        (ClusterError("the API server does not answer"), ""),
    ],
)
def test_a_lock_that_can_never_be_renewed_stops_the_deployment(
    monkeypatch: pytest.MonkeyPatch, error: Exception, stopped: str
) -> None:
    asked = threading.Event()

    def refuse(*_: str, **__: str) -> None:
        asked.set()
        raise error

    monkeypatch.setattr(lock, "_RENEWAL", 0.01)
    cluster, done = MemoryCluster(), threading.Event()
    monkeypatch.setattr(cluster, "json", refuse)
    renewing = threading.Thread(target=lock._renew, args=(cast(Kubectl, cluster), CLAIM, done), daemon=True)
    renewing.start()
    assert asked.wait(5)
    if stopped:
        renewing.join(5)
    else:
        time.sleep(0.05)
    assert cluster.stopped == stopped
    done.set()
    renewing.join(5)


def test_a_lock_is_held_and_removed() -> None:
    cluster = MemoryCluster()
    with lock.hold(cast(Kubectl, cluster), CLAIM):
        (lease,) = cluster.objects.values()
        assert lease["metadata"]["name"] == "autoclave.pump.ward"
        assert lease["metadata"]["labels"]["dev.autoclave.device"] == "pump"
        other = lock.Claim(device="pump", environment="ward", owner="there:1")
        with pytest.raises(Busy), lock.hold(cast(Kubectl, cluster), other):
            pass
    assert cluster.objects == {}


@pytest.mark.parametrize(
    "labels", [{}, {"dev.autoclave.device": "pump", "dev.autoclave.environment": "home"}]
)
def test_a_lease_of_somebody_else_is_left_alone(labels: dict[str, str]) -> None:
    cluster = MemoryCluster()
    theirs = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "autoclave.pump.ward", "labels": labels, "resourceVersion": "1"},
        "spec": {"holderIdentity": CLAIM.owner},
    }
    cluster.objects["Lease.coordination.k8s.io/autoclave.pump.ward"] = theirs
    theft = lock.hold(cast(Kubectl, cluster), CLAIM)
    with pytest.raises(DeployFailed, match="the lock of ward cannot be taken") as refused, theft:
        pass
    assert "Lease/autoclave.pump.ward belongs to somebody else" in refused.value.why
    assert list(cluster.objects.values()) == [theirs]
    assert cluster.calls == []
