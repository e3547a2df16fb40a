"""The pods that manifests would start, as the hardening gate judges them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoclave.gates.hardening import Pod
from autoclave.targets.kubernetes.manifests import POD_SPECS, Manifest, pod_spec

_LISTS = ("containers", "initContainers", "ephemeralContainers")


def find_pods(manifests: Sequence[Manifest]) -> tuple[list[Pod], list[str]]:
    """Return the pods of every workload, and the titles of objects whose containers cannot be read.

    An object of an unknown kind is one of those as soon as anything in it looks like a list of containers:
    its controller would start them without a judgement.
    """
    found, unread = [], []
    for each in manifests:
        if each.kind not in POD_SPECS:
            unread += [each.title] if _has_containers(each.data) else []
        elif (spec := pod_spec(each)) is None or not _is_readable(spec):
            unread.append(each.title)
        else:
            found.append(Pod(each.title, each.kind, spec, _annotations(each)))
    return found, unread


def _is_readable(spec: Mapping[str, Any]) -> bool:
    """Return whether there are containers, and every list of them is a list of mappings."""
    lists = [spec[key] for key in _LISTS if spec.get(key) is not None]
    return bool(spec.get("containers")) and all(
        isinstance(each, list) and all(isinstance(item, Mapping) for item in each) for each in lists
    )


def _has_containers(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(
            (key in _LISTS and isinstance(each, list) and any(isinstance(item, Mapping) for item in each))
            or _has_containers(each)
            for key, each in value.items()
        )
    return isinstance(value, list) and any(_has_containers(each) for each in value)


def _annotations(manifest: Manifest) -> Mapping[str, Any]:
    holder: Any = manifest.data
    for key in POD_SPECS[manifest.kind][:-1]:
        holder = holder[key]
    metadata = holder.get("metadata")
    noted = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return noted if isinstance(noted, Mapping) else {}
