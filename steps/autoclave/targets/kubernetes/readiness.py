"""Whether workloads have reached what was applied, by their status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]


def describe_pending(workload: Object) -> str:
    """Return what a workload still waits for, as a line of progress; empty when it waits for nothing.

    Source: the rules of `kubectl rollout status`, and for a Job its conditions.
    """
    kind = workload.get("kind")
    name = f"{str(kind).lower()}/{workload['metadata']['name']}"
    status = workload.get("status") or {}
    if kind == "Job":
        is_suspended = (workload.get("spec") or {}).get("suspend") is True
        done = condition(workload, "Complete") == "True" or is_suspended
        return "" if done else f"{name} has not finished"
    if kind not in {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"}:
        return ""
    if int(status.get("observedGeneration") or 0) < int(workload["metadata"].get("generation") or 0):
        return f"{name} is not processed yet"
    if kind == "DaemonSet":
        desired = int(status.get("desiredNumberScheduled") or 0)
        updated, ready = status.get("updatedNumberScheduled") or 0, status.get("numberAvailable") or 0
        all_pods = desired
    else:
        desired = int((workload.get("spec") or {}).get("replicas", 1))
        updated = status.get("updatedReplicas") or 0
        ready = status.get("availableReplicas") or 0
        all_pods = int(status.get("replicas") or 0)
    if kind == "ReplicaSet":
        updated = all_pods
    old = max(0, all_pods - int(updated))
    if updated >= desired and ready >= desired and not old:
        return ""
    ending = f", {old} of the old version" if old else ""
    return f"{name} {updated}/{desired} updated, {ready} available{ending}"


def condition(of: Object, kind: str) -> str:
    """Return the status of a condition, or an empty string."""
    for each in (of.get("status") or {}).get("conditions") or ():
        if each.get("type") == kind:
            return str(each.get("status"))
    return ""


def is_terminating(pod: Object) -> bool:
    """Return whether a pod is being deleted, or has ended for good."""
    ended = (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
    return bool((pod.get("metadata") or {}).get("deletionTimestamp")) or ended


def is_ready(pod: Object) -> bool:
    """Return whether a pod's status says that it is ready."""
    return condition(pod, "Ready") == "True"
