"""What in a namespace prevents the objects of a device: claims, an open network, kinds outside of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoclave.gates.hardening import KubernetesObject
from autoclave.targets.kubernetes import network, volumes
from autoclave.targets.kubernetes.labels import has_labels
from autoclave.targets.kubernetes.pods import find_templates
from autoclave.targets.kubernetes.state import title

Object = Mapping[str, Any]

CHECKED = "persistentvolumeclaims,networkpolicies,deployments,statefulsets,daemonsets"
"""The kinds that `check_namespace` must know of."""


def check_namespace(
    live: Sequence[Object], desired: Sequence[Object], namespace: str, selector: str
) -> list[str]:
    """Return what in the namespace prevents the desired objects.

    `live` are its objects of the kinds in `CHECKED`; those with the labels of `selector` are the device's.
    """
    ours = [each for each in live if _is_claim(each) or has_labels(each, selector)]
    reasons = volumes.check_claims(ours, desired)
    if not network.has_default_deny(each for each in [*live, *desired] if each["kind"] == "NetworkPolicy"):
        reasons.append(f"namespace '{namespace}' has no NetworkPolicy that denies by default")
    return reasons


def find_opening(
    live: Sequence[Object], desired: Sequence[Object], replaced: Sequence[Object]
) -> list[KubernetesObject]:
    """Return the NetworkPolicies of others that are for pods of the device as well, for the gate to judge.

    `replaced` are the objects that ran before: what is missing in `desired` will be deleted.
    """
    ours = {title(each) for each in (*desired, *replaced)}
    pods = [(each.get("metadata") or {}).get("labels") or {} for each in find_templates(desired)]
    return [
        KubernetesObject(f"NetworkPolicy/{each['metadata']['name']}", "NetworkPolicy", each)
        for each in live
        if each["kind"] == "NetworkPolicy"
        and title(each) not in ours
        and any(network.selects((each.get("spec") or {}).get("podSelector") or {}, labels) for labels in pods)
    ]


def find_foreign(live: Sequence[Object], selector: str) -> list[str]:
    """Return which existing objects are somebody else's: without the labels of `selector`."""
    return [
        f"{title(each)} exists already and belongs to somebody else (it has not the labels {selector}): "
        "rename ours, remove the other, or give it the labels if it is this device's"
        for each in live
        if not has_labels(each, selector)
    ]


def find_cluster_wide(coming: Sequence[Object], namespace: str) -> list[str]:
    """Return which objects belong to no namespace: only the server knows all kinds that do not."""
    return [
        f"{title(each)} belongs to no namespace: a device never changes the rest of the cluster"
        for each in coming
        if each["metadata"].get("namespace") != namespace
    ]


def _is_claim(of: Object) -> bool:
    return of.get("kind") == "PersistentVolumeClaim"
