"""The number of pods that an autoscaler sets is neither sent nor reset."""

from __future__ import annotations

from typing import Any

from autoclave.targets.kubernetes.scaling import find_scaled, leave_replicas

SCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "x"},
    "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"}},
}


def workload(replicas: int, kind: str = "Deployment", owner: str = "") -> dict[str, Any]:
    fields = [{"manager": owner, "fieldsV1": {"f:spec": {"f:replicas": {}}}}] if owner else []
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "app", "managedFields": fields},
        "spec": {"replicas": replicas, "template": {}},
    }


def leave(live: list[dict[str, Any]], kind: str = "Deployment") -> Any:
    (made,) = leave_replicas([workload(2, kind)], live, find_scaled([SCALER]))
    return made["spec"].get("replicas")


def test_the_first_number_is_the_manifest_s() -> None:
    assert leave([]) == 2


def test_a_number_of_somebody_else_is_not_sent() -> None:
    assert leave([workload(7, owner="kube-controller-manager")]) is None


def test_a_number_of_ours_is_kept_as_it_is() -> None:
    assert leave([workload(7, owner="autoclave")]) == 7
    assert leave([workload(7)]) == 7


def test_other_workloads_get_their_number() -> None:
    assert leave([workload(7, "StatefulSet")], "StatefulSet") == 2


def test_odd_autoscalers_scale_nothing() -> None:
    odd = [SCALER | {"spec": None}, SCALER | {"spec": {"scaleTargetRef": "app"}}, {"kind": "Pod", "spec": {}}]
    assert find_scaled(odd) == frozenset()
