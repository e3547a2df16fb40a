"""The pods that manifests would start, as the hardening gate judges them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from msgspec import structs

from autoclave.gates.hardening import KubernetesObject, Pod
from autoclave.targets.kubernetes.embedded import has_containers, names_image
from autoclave.targets.kubernetes.kinds import is_known
from autoclave.targets.kubernetes.manifests import Manifest
from autoclave.targets.kubernetes.objects import read_image_names
from autoclave.targets.kubernetes.places import find_at
from autoclave.targets.kubernetes.pods import pod_specs

_LISTS = ("containers", "initContainers", "ephemeralContainers")


def find_pods(
    manifests: Sequence[Manifest], programs: Mapping[str, frozenset[str]] = MappingProxyType({})
) -> tuple[list[Pod], list[str]]:
    """Return the pods of every object that starts some, and the titles of those that cannot be read.

    `programs` are the paths at which an image of the device has what it runs, by the image's name.
    An object that is no workload is one of those as soon as anything in it looks like a container at a place
    that the policy does not name: its controller would start it without a judgement.
    """
    found: list[Pod] = []
    unread: list[str] = []
    settings = {each.name: _mapping(each.data.get("data")) for each in manifests if each.kind == "ConfigMap"}
    for each in manifests:
        pods, is_read = _pods_of(each, settings)
        found += [structs.replace(pod, programs=_programs_of(pod, programs)) for pod in pods]
        unread += [] if is_read else [each.title]
    return found, unread


def _programs_of(pod: Pod, programs: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    names = read_image_names({"annotations": pod.annotations})
    return {name: programs[image] for name, image in names.items() if image in programs}


def find_objects(manifests: Sequence[Manifest], *, has_flows: bool = False) -> list[KubernetesObject]:
    """Return what starts no pods and is of a known kind; `has_flows` is whether all traffic is declared."""
    roles = frozenset(each.name for each in manifests if each.kind == "Role" and is_known(each))
    return [
        KubernetesObject(each.title, each.kind, each.data, roles, has_flows)
        for each in manifests
        if is_known(each) and not each.is_workload
    ]


def _pods_of(manifest: Manifest, settings: Mapping[str, Mapping[str, Any]]) -> tuple[list[Pod], bool]:
    """Return the pods of one object, and whether all of it can be read."""
    places = pod_specs(manifest)
    pods = [
        Pod(manifest.title, manifest.kind, place.value, _annotations(place.template), settings=settings)
        for place in places
        if _is_readable(place.value)
    ]
    if manifest.is_workload:
        noted = [_annotations(manifest.data), *(each.annotations for each in pods)]
        return pods, len(pods) == 1 and not has_containers(noted)
    named = [place for path in manifest.paths.containers for place in find_at(manifest.data, path)]
    for place in named:
        listed = place.value if isinstance(place.value, list) else [place.value]
        spec = {"containers": listed}
        pods.append(Pod(manifest.title, manifest.kind, spec, is_part=True, settings=settings))
    is_read = len(pods) == len(places) + len(named)
    judged = {id(place.value) for place in (*places, *named)}
    pinned = {
        (id(place.holder), place.key)
        for path in manifest.paths.images
        for place in find_at(manifest.data, path)
    }
    is_whole = is_known(manifest) or not names_image(manifest.data, judged, pinned)
    return pods, is_read and is_whole and not has_containers(manifest.data, judged)


def _is_readable(spec: Any) -> bool:
    """Return whether there are containers, and every list of them is a list of mappings."""
    if not isinstance(spec, Mapping):
        return False
    lists = [spec[key] for key in _LISTS if spec.get(key) is not None]
    return bool(spec.get("containers")) and all(
        isinstance(each, list) and all(isinstance(item, Mapping) for item in each) for each in lists
    )


def _annotations(template: Any) -> Mapping[str, Any]:
    return _mapping(_mapping(_mapping(template).get("metadata")).get("annotations"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
