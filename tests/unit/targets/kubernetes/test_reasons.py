"""The reason for a stall, on one screen: from what a real cluster said of pods that cannot start."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from autoclave.targets.kubernetes.reasons import find_reasons, is_permanent

RECORDED = Path(__file__).parents[3] / "fixtures" / "kubernetes" / "stalled.json"


def read_recorded() -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(RECORDED.read_text("utf-8"))["items"]
    return items


@pytest.mark.parametrize(
    ("about", "says", "for_good"),
    [
        ("pod crashes, container app", "ended with exit code 3: restarted 2 times", True),
        ("pod eats, container app", "OOMKilled: restarted 2 times", True),
        ("pod no-config, container app", 'CreateContainerConfigError: configmap "none-such" not found', True),
        ("pod no-image, container app", "ErrImagePull: rpc error: code = NotFound", True),
        ("pod no-volume", "Unschedulable: 0/1 nodes are available: pod has unbound immediate", False),
        ("pod too-large", "1 Insufficient cpu", False),
        ("pod unready, container app", "probe fails: Readiness probe failed: Get", False),
        (
            "ReplicaSet refused-599f947dcd",
            "maximum memory usage per Container is 1Gi, but limit is 4Gi",
            True,
        ),
        ("claim readings", 'not bound: storageclass.storage.k8s.io "none-such" not found', False),
    ],
)
def test_each_stall_is_reported(about: str, says: str, for_good: bool) -> None:
    (found,) = [each for each in find_reasons(read_recorded()) if each.about == about]
    assert says in found.line
    assert is_permanent(found) is for_good


def test_reasons_fit_on_one_screen_and_name_the_logs() -> None:
    found = find_reasons(read_recorded())
    assert len(found) <= 10
    assert all(len(each.line) < 320 for each in found)
    assert {each.log for each in found if each.log} >= {"crashes/app", "eats/app"}


def test_one_reason_of_many_pods_is_shown_once() -> None:
    (crashed,) = [
        each for each in read_recorded() if each["metadata"]["name"] == "crashes" and each["kind"] == "Pod"
    ]
    pods = []
    for number in range(3):
        pod = copy.deepcopy(crashed)
        pod["metadata"]["name"] = f"app-57dff5d5c7-{number}"
        pods.append(pod)
    assert len(find_reasons(pods)) == 1


def test_pods_on_their_way_out_say_nothing() -> None:
    pods = [each for each in read_recorded() if each["kind"] == "Pod"]
    for pod in pods:
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert find_reasons(pods) == []
