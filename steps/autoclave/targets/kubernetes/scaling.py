"""Whose the number of pods is: an autoscaler's, where one is for the workload."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from autoclave.targets.kubernetes.labels import MANAGER
from autoclave.targets.kubernetes.state import title

Object = Mapping[str, Any]


def find_scaled(objects: Iterable[Object]) -> frozenset[str]:
    """Return the titles of what HorizontalPodAutoscalers among these objects scale."""
    found = set()
    for each in objects:
        target = (each.get("spec") or {}).get("scaleTargetRef") if each["kind"] == _SCALER else None
        if isinstance(target, Mapping):
            named = {"kind": str(target.get("kind")), "metadata": {"name": target.get("name")}}
            found.add(title(named | {"apiVersion": str(target.get("apiVersion", ""))}))
    return frozenset(found)


_SCALER = "HorizontalPodAutoscaler"


def leave_replicas(
    objects: Sequence[Object], live: Sequence[Object], scaled: frozenset[str]
) -> list[dict[str, Any]]:
    """Return objects to apply that change the number of pods of nothing that is scaled and exists.

    Where another field manager owns the number, it is left out. Where we do, leaving it out would delete the
    field, which makes it 1: it is sent as the cluster has it.
    """
    existing = {title(each): each for each in live}
    return [_leave(each, existing.get(title(each)) if title(each) in scaled else None) for each in objects]


def _leave(of: Object, live: Object | None) -> dict[str, Any]:
    now = ((live or {}).get("spec") or {}).get("replicas")
    if now is None or live is None:
        return dict(of)
    spec = {key: value for key, value in of["spec"].items() if key != "replicas"}
    return {**of, "spec": spec if _is_owned_by_others(live) else {**spec, "replicas": now}}


def _is_owned_by_others(live: Object) -> bool:
    return any(
        each.get("manager") != MANAGER and "f:replicas" in ((each.get("fieldsV1") or {}).get("f:spec") or {})
        for each in (live.get("metadata") or {}).get("managedFields") or ()
    )
