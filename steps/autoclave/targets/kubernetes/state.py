"""What was applied last, kept in the cluster: any machine can restore it, also after a crash.

One ConfigMap for each device and environment. `current` was applied and found healthy, `next` is being
applied right now: while no deployment is under way there is no `next`.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from autoclave.errors import ClusterError
from autoclave.targets.base import Unhealthy
from autoclave.targets.kubernetes.kubectl import Kubectl, Object
from autoclave.targets.kubernetes.labels import DEVICE, ENVIRONMENT, has_labels, name_of, selector
from autoclave.targets.kubernetes.manifests import is_workload

_LARGEST = 900 << 10  # bytes: the API server takes no ConfigMap above 1 MiB
_KEPT = ("name", "namespace", "labels", "annotations")
"""The parts of an object's metadata that its author writes; the rest is the cluster's own."""


class AppliedObjects(Struct, frozen=True):
    """Objects in the order in which they are applied; `inputs` are the digests of the plans, by image.

    `created` are the titles of those that did not exist before.
    """

    objects: list[dict[str, Any]]
    inputs: dict[str, str] = {}
    created: list[str] = []


class RolloutState(Struct, frozen=True):
    """What ran and what is to run; None for nothing."""

    current: AppliedObjects | None = None
    next: AppliedObjects | None = None


def find_state(objects: Sequence[Object], device: str, environment: str) -> RolloutState:
    """Return the state that is one of these objects. Raises ClusterError when it is damaged."""
    name, ours = name_of(device, environment), selector(device, environment)
    found = [
        each
        for each in objects
        if each["kind"] == "ConfigMap" and each["metadata"]["name"] == name and has_labels(each, ours)
    ]
    data = (found[0].get("data") or {}) if found else {}
    try:
        return RolloutState(_unpack(data.get("current", "")), _unpack(data.get("next", "")))
    except (ValueError, OSError, EOFError, msgspec.DecodeError) as error:
        raise ClusterError(
            f"ConfigMap/{name} is damaged: what ran before is unknown",
            why=str(error),
            next="check what runs, then delete it: the next deployment creates it again",
        ) from error


def refuse_large(state: RolloutState) -> None:
    """Refuse what cannot be kept, before anything is applied. Raises ClusterError."""
    if sum(map(len, _pack_all(state).values())) > _LARGEST:
        raise ClusterError("the manifests are too large to be kept for restoring", next="split the device")


def find_existing(kubectl: Kubectl, device: str, environment: str) -> list[Object]:
    """Return the ConfigMap that has the name of the state, whoever made it."""
    return kubectl.json("get", "--ignore-not-found", f"ConfigMap/{name_of(device, environment)}")


def refuse_foreign(kubectl: Kubectl, device: str, environment: str) -> None:
    """Refuse to write into a ConfigMap of somebody else. Raises Unhealthy."""
    ours = selector(device, environment)
    for each in find_existing(kubectl, device, environment):
        if not has_labels(each, ours):
            raise Unhealthy(f"{title(each)} is somebody else's: it has not the labels {ours}")


def write(kubectl: Kubectl, device: str, environment: str, state: RolloutState) -> None:
    """Write the state. Raises ClusterError, Unhealthy when the ConfigMap of that name is somebody else's."""
    refuse_large(state)
    refuse_foreign(kubectl, device, environment)
    made = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name_of(device, environment),
            "labels": {DEVICE: device, ENVIRONMENT: environment},
        },
        "data": _pack_all(state),
    }
    kubectl.apply([made], force=True)


def adopt_live(live: Sequence[Object]) -> AppliedObjects | None:
    """Return live objects as what ran before, for want of a record of it; None without workloads."""
    if not any(is_workload(each) for each in live):
        return None
    objects = []
    for each in live:
        kept = {key: value for key, value in each.items() if key != "status"}
        metadata = {key: each["metadata"][key] for key in _KEPT if key in each["metadata"]}
        objects.append(kept | {"metadata": metadata})
    return AppliedObjects(objects)


def find_removed_jobs(kept: RolloutState, objects: Sequence[Object]) -> list[Object]:
    """Return the Jobs that ended well and were removed by the cluster, as they asked for."""
    here = {title(each) for each in objects}
    ended = {"conditions": [{"type": "Complete", "status": "True"}]}
    return [
        {**each, "status": ended}
        for each in (kept.current.objects if kept.current else ())
        if each["kind"] == "Job"
        and title(each) not in here
        and "ttlSecondsAfterFinished" in each.get("spec", {})
    ]


def title(of: Mapping[str, Any]) -> str:
    """Return kind, group and name, by which kubectl finds an object: `Deployment.apps/gateway`."""
    group = str(of.get("apiVersion", "")).rpartition("/")[0]
    return f"{of['kind']}{'.' + group if group else ''}/{of['metadata']['name']}"


def find_missing(objects: Sequence[Object], among: Sequence[Object]) -> list[str]:
    """Return the titles of objects that are not among others."""
    existing = {title(each) for each in among}
    return [title(each) for each in objects if title(each) not in existing]


def _pack_all(state: RolloutState) -> dict[str, str]:
    """Return the data of the ConfigMap."""
    data = {"current": _pack(state.current), "next": _pack(state.next)}
    return {key: text for key, text in data.items() if text}


def _pack(applied: AppliedObjects | None) -> str:
    if applied is None:
        return ""
    return base64.b64encode(gzip.compress(msgspec.json.encode(applied), mtime=0)).decode()


def _unpack(text: str) -> AppliedObjects | None:
    return msgspec.json.decode(gzip.decompress(base64.b64decode(text)), type=AppliedObjects) if text else None
