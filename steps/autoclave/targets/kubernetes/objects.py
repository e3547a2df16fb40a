"""The objects of a deployment: images by digest, in one namespace, labelled, with their network policies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from autoclave.errors import ConfigError
from autoclave.targets.base import Rollout
from autoclave.targets.kubernetes import images, labels, network
from autoclave.targets.kubernetes.manifests import Manifest, is_workload, set_namespace
from autoclave.targets.kubernetes.pods import containers, pod_metadata
from autoclave.targets.kubernetes.revisions import name_jobs, note_configuration

_FIRST = (
    "NetworkPolicy", "ServiceAccount", "Role", "RoleBinding", "ConfigMap", "PersistentVolumeClaim", "Service",
)  # fmt: skip
"""Applied before what needs them; workloads come last."""


_RESERVED = frozenset({"NetworkPolicy", "ConfigMap", "Lease"})


class DesiredObjects(Struct, frozen=True):
    """What is to be applied, in order, and the images of others among it (reference → where it is named)."""

    manifests: tuple[Manifest, ...]
    others: Mapping[str, str]

    @property
    def plain(self) -> list[dict[str, Any]]:
        """The objects as plain data."""
        return [json.loads(json.dumps(each.data)) for each in self.manifests]


def make_objects(
    rollout: Rollout, namespace: str, repository: str, found: Sequence[Manifest]
) -> DesiredObjects:
    """Return the objects of a rollout from what the device folder says. Raises ConfigError.

    `repository` is where the cluster pulls the device's images from.
    """
    names = [each.image for each in rollout.services]
    ran = images.find_workloads(found, rollout.device, names)
    if missing := [name for name in names if name not in ran]:
        raise ConfigError(
            f"no manifest runs the image '{missing[0]}' of this device",
            why="a device is deployed whole or not at all",
            next=f"a container's image must end with {rollout.device}/{missing[0]}",
        )
    _refuse_secrets(found)
    _refuse_reserved_names(found)
    mine = {
        (each.manifest.title, each.name): name
        for each in containers(found)
        if (name := images.match_image(each.image, rollout.device, names))
    }
    references = {each.image: f"{repository}@{each.digest}" for each in rollout.services}
    pinned, others = images.pin(found, rollout.device, references)
    placed = set_namespace([*_policies(rollout, names), *pinned], namespace)
    for each in placed:
        _label(each, rollout, mine)
    note_configuration(placed)
    name_jobs(placed)
    order = {kind: number for number, kind in enumerate(_FIRST)}
    placed.sort(key=lambda each: order.get(each.kind, len(order) + each.is_workload))
    return DesiredObjects(tuple(placed), others)


def read_digests(applied: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return which digest each image of the device has in objects as they were applied."""
    found: dict[str, str] = {}
    for each in applied:
        if not is_workload(each):
            continue
        manifest = Manifest(each["kind"], each["apiVersion"], each["metadata"]["name"], each, "applied")
        which = {
            name: image for pods in pod_metadata(manifest) for name, image in read_image_names(pods).items()
        }
        found |= {
            which[container.name]: images.digest_in(container.image)
            for container in containers([manifest])
            if container.name in which
        }
    return found


def read_image_names(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return which container of a pod runs which image of the device, as its annotation says."""
    try:
        noted = json.loads((metadata.get("annotations") or {}).get(labels.IMAGES, "{}"))
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in noted.items()} if isinstance(noted, dict) else {}


def _policies(rollout: Rollout, names: Sequence[str]) -> list[Manifest]:
    """Return the policies of the declared flows; without flows, the namespace keeps its own policies."""
    if not rollout.flows:
        return []
    return network.make_policies(
        rollout.flows, names, device=rollout.device, environment=rollout.environment.name
    )


def _refuse_secrets(found: Sequence[Manifest]) -> None:
    for each in found:
        if each.kind == "Secret" and (each.data.get("data") or each.data.get("stringData")):
            raise ConfigError(
                f"{each.source}: {each.title} contains the value of a secret",
                why="whoever reads the repository, or what is kept for restoring, would read it too",
                next="create the secret in the cluster, and refer to it by name",
            )


def _refuse_reserved_names(found: Sequence[Manifest]) -> None:
    """Refuse what would replace an object that is made here: the last one applied under a name wins."""
    for each in found:
        if each.kind in _RESERVED and each.name.startswith(f"{labels.MANAGER}."):
            raise ConfigError(
                f"{each.source}: {each.title} has a name that is reserved for what Autoclave makes itself",
                why="it would replace the policy that denies by default, or what is kept for restoring",
                next="give it another name",
            )


def _label(manifest: Manifest, rollout: Rollout, mine: Mapping[tuple[str, str], str]) -> None:
    owned = {labels.DEVICE: rollout.device, labels.ENVIRONMENT: rollout.environment.name}
    metadata = manifest.data["metadata"]
    _add(metadata, "labels", {**owned, "app.kubernetes.io/managed-by": labels.MANAGER})
    which = {
        each.name: name for each in containers([manifest]) if (name := mine.get((manifest.title, each.name)))
    }
    for pods in pod_metadata(manifest):
        _add(pods, "labels", owned)
        if which:
            _add(pods, "labels", {labels.IMAGE: next(iter(which.values()))})
            _add(pods, "annotations", {labels.IMAGES: json.dumps(which, sort_keys=True)})


def _add(metadata: Any, key: str, values: Mapping[str, str]) -> None:
    if metadata.get(key) is None:
        metadata[key] = {}
    metadata[key].update(values)
