"""The lease of an environment: a deployment whose lock cannot be renewed stops."""

from __future__ import annotations

import threading
import time
from typing import cast

import pytest

from autoclave.errors import ClusterError, ToolError
from autoclave.targets.kubernetes import lock
from autoclave.targets.kubernetes.kubectl import Kubectl
from builders.memory_cluster import MemoryCluster


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
    renewing = threading.Thread(
        target=lock._renew, args=(cast(Kubectl, cluster), "name", "here:1", done), daemon=True
    )
    renewing.start()
    assert asked.wait(5)
    if stopped:
        renewing.join(5)
    else:
        time.sleep(0.05)
    assert cluster.stopped == stopped
    done.set()
    renewing.join(5)
