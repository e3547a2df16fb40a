"""The pods of an object: their specifications, the metadata that they get, and their containers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from autoclave.errors import ConfigError
from autoclave.targets.kubernetes.manifests import POD_SPECS, Manifest, is_workload
from autoclave.targets.kubernetes.places import Place, find_at


class Container(Struct, frozen=True):
    """A container of a workload: its mapping inside the manifest's, and where that is."""

    manifest: Manifest
    path: str
    name: str
    image: str
    init: bool
    data: Any


def find_templates(objects: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return what the pods of each workload are made from: metadata and specification."""
    found: list[Mapping[str, Any]] = []
    for each in objects:
        template: Any = each if is_workload(each) else None
        for key in POD_SPECS[each["kind"]][:-1] if template else ():
            template = template.get(key) if isinstance(template, Mapping) else None
        found += [template] if isinstance(template, Mapping) else []
    return found


def pod_spec(manifest: Manifest) -> Any:
    """Return the pods' specification of a workload, or None for any other object."""
    found: Any = manifest.data if manifest.is_workload else None
    for key in POD_SPECS[manifest.kind] if found else ():
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None


def pod_specs(manifest: Manifest) -> list[Place]:
    """Return every specification of pods that an object has, workload or not."""
    if manifest.is_workload:
        return find_at(manifest.data, ".".join(POD_SPECS[manifest.kind]))
    return [each for path in manifest.paths.pods for each in find_at(manifest.data, path)]


def pod_metadata(manifest: Manifest) -> list[Any]:
    """Return the metadata that an object's pods get, for each template; it is added when missing."""
    holders = [each.template for each in pod_specs(manifest) if each.template is not None]
    for each in holders:
        if each.get("metadata") is None:
            each["metadata"] = {}
    return [each["metadata"] for each in holders]


def containers(manifests: Sequence[Manifest]) -> list[Container]:
    """List every container of every workload, and of the kinds whose places are known."""
    return [found for manifest in manifests for found in _containers_of(manifest)]


def _containers_of(manifest: Manifest) -> Iterator[Container]:
    lists = [
        (f"{place.where}.{key}", key, place.value[key])
        for place in pod_specs(manifest)
        for key in ("initContainers", "containers", "ephemeralContainers")
        if isinstance(place.value, Mapping) and isinstance(place.value.get(key), list)
    ]
    for path in manifest.paths.containers:
        for place in find_at(manifest.data, path):
            listed = place.value if isinstance(place.value, list) else [place.value]
            lists.append((place.where, "containers", listed))
    for where, key, listed in lists:
        for number, data in enumerate(listed):
            if not isinstance(data, Mapping):
                raise ConfigError(
                    f"{manifest.source}: {manifest.title}: {where}[{number}] is not a container"
                )
            yield Container(
                manifest=manifest,
                path=f"{where}[{number}]",
                name=str(data.get("name", "")),
                image=str(data.get("image", "") or ""),
                init=key == "initContainers",
                data=data,
            )
