"""Claims are where a device's data is: what a deployment would do to them, and must not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoclave.targets.kubernetes.manifests import POD_SPECS
from autoclave.targets.kubernetes.quantities import parse_quantity

Object = Mapping[str, Any]
_FIXED = ("storageClassName", "volumeName", "accessModes", "volumeMode", "selector")
"""Fields that cannot change while a claim is bound: another value means another claim, without the data."""


def check_claims(live: Sequence[Object], desired: Sequence[Object]) -> list[str]:
    """Return why a change must not be made, naming the claim; empty when every claim is kept as it is.

    `live` are the namespace's claims and this device's workloads as the cluster has them, `desired` the
    objects about to be applied.
    """
    try:
        return _check_claims(live, desired)
    except (AttributeError, TypeError):
        # A list where a mapping belongs: what cannot be read cannot be shown to keep the data.
        return ["the claims of these manifests cannot be read: a field is of another type than in Kubernetes"]


def _check_claims(live: Sequence[Object], desired: Sequence[Object]) -> list[str]:
    new = {_key(each): each for each in desired}
    reasons: list[str] = []
    claims = {_name(each): each for each in live if each.get("kind") == "PersistentVolumeClaim"}
    for name, claim in claims.items():
        replacement = new.get(("PersistentVolumeClaim", name))
        if replacement is not None:
            reasons += _changes(f"claim '{name}'", claim.get("spec") or {}, replacement.get("spec") or {})
    for old in live:
        # What a controller created (a Deployment's pods) is deleted with it.
        if old.get("kind") in POD_SPECS and not (old.get("metadata") or {}).get("ownerReferences"):
            reasons += _workload(old, new.get(_key(old)))
    for each in desired:
        reasons += _retention(each)
    return list(dict.fromkeys(reasons))


def find_claims(workload: Object) -> dict[str, str]:
    """Return the claims that a workload's pods mount: volume name → claim name."""
    spec: Any = workload
    for key in POD_SPECS.get(str(workload.get("kind")), ()):
        spec = (spec or {}).get(key)
    found = {}
    for volume in (spec or {}).get("volumes") or ():
        if claim := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
            found[str(volume.get("name"))] = str(claim)
    return found


def _workload(old: Object, new: Object | None) -> list[str]:
    title = f"{old.get('kind')}/{_name(old)}"
    before = find_claims(old)
    after = find_claims(new) if new is not None else {}
    templates = _templates(old)
    if new is None:
        names = [*before.values(), *templates]
        return [
            f"{title} is missing from the manifests, and with it the use of claim '{name}'" for name in names
        ]
    reasons = [
        f"{title} would no longer mount claim '{claim}'"
        + (f" but '{after[volume]}'" if volume in after else "")
        for volume, claim in before.items()
        if claim not in after.values()
    ]
    desired = _templates(new)
    for name, spec in templates.items():
        what = f"{title}'s claim template '{name}'"
        if name not in desired:
            reasons.append(f"{what} is missing: its pods would start without their data")
        else:
            reasons += _changes(what, spec, desired[name], grows=False)
    return reasons


def _changes(what: str, old: Object, new: Object, *, grows: bool = True) -> list[str]:
    reasons = []
    before, after = _size(old), _size(new)
    if before and after:
        try:
            if parse_quantity(after) < parse_quantity(before):
                reasons.append(f"{what} would shrink from {before} to {after}")
            elif parse_quantity(after) > parse_quantity(before) and not grows:
                reasons.append(
                    f"{what} cannot grow from {before} to {after} in place: grow each pod's claim by hand"
                )
        except ValueError as error:
            reasons.append(f"{what}: {error}")
    for key in _FIXED:
        # An empty storage class is a value (none), a missing one the cluster's default.
        if new.get(key) is not None and old.get(key) not in (None, new[key]):
            reasons.append(f"{what} would be bound again: {key} {old.get(key)} → {new[key]}")
    return reasons


def _retention(workload: Object) -> list[str]:
    policy = (workload.get("spec") or {}).get("persistentVolumeClaimRetentionPolicy") or {}
    names = ", ".join(f"'{name}'" for name in _templates(workload))
    if workload.get("kind") != "StatefulSet" or not names:
        return []
    return [
        f"StatefulSet/{_name(workload)} would delete its claims {names} when it is {word} ({key}: Delete)"
        for key, word in (("whenDeleted", "deleted"), ("whenScaled", "scaled down"))
        if policy.get(key) == "Delete"
    ]


def _templates(workload: Object) -> dict[str, Object]:
    listed = (workload.get("spec") or {}).get("volumeClaimTemplates") or ()
    return {_name(each): each.get("spec") or {} for each in listed}


def _size(spec: Object) -> str:
    return str(((spec.get("resources") or {}).get("requests") or {}).get("storage") or "")


def _name(of: Object) -> str:
    return str((of.get("metadata") or {}).get("name"))


def _key(of: Object) -> tuple[str, str]:
    return str(of.get("kind")), _name(of)
