"""What pods say they run: from their status, never from what was asked for."""

from __future__ import annotations

import json
from typing import Any

from autoclave.targets.kubernetes.watch import find_stuck, read_back

OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def pod(name: str, runs: str, *, ready: bool = True, **metadata: Any) -> dict[str, Any]:
    status: dict[str, Any] = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    if runs:
        status["containerStatuses"] = [{"name": "app", "imageID": f"r.example/d@{runs}", "ready": ready}]
    annotations = {"dev.autoclave.images": json.dumps({"app": "gateway"})}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "annotations": annotations, **metadata},
        "spec": {"containers": [{"name": "app", "image": f"r.example/d@{NEW}"}]},
        "status": status,
    }


def test_one_digest_from_all_ready_pods_is_healthy() -> None:
    (running,) = read_back([pod("a", NEW), pod("b", NEW)])
    assert (running.image, running.digest, running.healthy) == ("gateway", NEW, True)
    assert running.address == "(2 pods)"


def test_several_digests_are_not_healthy() -> None:
    (running,) = read_back([pod("a", NEW), pod("b", OLD)])
    assert not running.healthy
    assert running.digest == f"mixed: {OLD}, {NEW}"


def test_a_pod_that_is_not_ready_or_has_not_started_is_not_healthy() -> None:
    assert not read_back([pod("a", NEW), pod("b", NEW, ready=False)])[0].healthy
    (running,) = read_back([pod("a", "", ready=False)])
    assert not running.healthy
    assert NEW not in running.digest


def test_pods_on_their_way_out_do_not_count() -> None:
    gone = pod("b", OLD, deletionTimestamp="2026-01-01T00:00:00Z")
    assert read_back([pod("a", NEW), gone])[0].healthy


def test_an_image_with_a_damaged_annotation_is_ignored() -> None:
    odd = pod("a", NEW)
    odd["metadata"]["annotations"]["dev.autoclave.images"] = "[not json"
    assert read_back([odd]) == []


def test_the_pod_that_a_stateful_set_waits_for_is_found() -> None:
    owner = {"ownerReferences": [{"kind": "StatefulSet", "name": "db"}]}
    wanted = {
        "kind": "StatefulSet",
        "metadata": {"name": "db", "generation": 3},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": 3, "updateRevision": "db-1"},
    }
    broken = pod("db-1", NEW, ready=False, labels={"controller-revision-hash": "db-2"}, **owner)
    fine = pod("db-0", OLD, labels={"controller-revision-hash": "db-2"}, **owner)
    starting = pod("db-2", OLD, ready=False, labels={"controller-revision-hash": "db-1"}, **owner)
    assert find_stuck([wanted, broken, fine, starting]) == ["db-1"]
    wanted["metadata"]["generation"] = 4  # its controller has not looked yet
    assert find_stuck([wanted, broken]) == []
