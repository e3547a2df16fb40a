"""Which images manifests name: the device's own become `repository@digest`, all others must be pinned."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autoclave.targets.kubernetes.manifests import Manifest, copy_manifest
from autoclave.targets.kubernetes.places import find_at
from autoclave.targets.kubernetes.pods import containers, pod_specs

PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*@(sha256:[0-9a-f]{64})")


def match_image(image: str, device: str, names: Sequence[str]) -> str:
    """Return which image of the device a reference names, or an empty string.

    The repository's path must end with DEVICE/IMAGE; host, tag and digest do not matter, since the
    whole reference is replaced.
    """
    repository = image.partition("@")[0]
    last = repository.rpartition("/")[2]
    parts = [*repository.split("/")[:-1], last.partition(":")[0]]
    return parts[-1] if parts[-2:-1] == [device] and parts[-1] in names else ""


def pin(
    manifests: Sequence[Manifest], device: str, references: Mapping[str, str]
) -> tuple[list[Manifest], dict[str, str]]:
    """Replace every image of the device by its reference (`repository@sha256:…`, by image name).

    Returns the changed manifests, and the images of others: reference → where it is named.
    """
    pinned = [copy_manifest(each) for each in manifests]
    others: dict[str, str] = {}
    for container in containers(pinned):
        name = match_image(container.image, device, list(references))
        if name:
            container.data["image"] = references[name]
        else:
            others.setdefault(container.image, f"{container.manifest.title}: container {container.name}")
    for where, holder, key in _plain_references(pinned):
        reference = str((holder.get(key) if isinstance(holder, Mapping) else holder[key]) or "")
        if name := match_image(reference, device, list(references)):
            holder[key] = references[name]
        else:
            others.setdefault(reference, where)
    return pinned, others


def _plain_references(manifests: Sequence[Manifest]) -> Iterator[tuple[str, Any, Any]]:
    """Yield where an image is named outside of containers: what names it, its mapping or list, and its key.

    That is a volume made of an image (what is mounted can be run as well), and what the policy names.
    """
    for manifest in manifests:
        for place in pod_specs(manifest):
            listed = place.value.get("volumes") if isinstance(place.value, Mapping) else None
            for volume in listed if isinstance(listed, list) else ():
                if isinstance(volume, Mapping) and isinstance(volume.get("image"), Mapping):
                    yield f"{manifest.title}: volume {volume.get('name', '?')}", volume["image"], "reference"
        for path in manifest.paths.images:
            for place in find_at(manifest.data, path):
                yield f"{manifest.title}: {place.where}", place.holder, place.key


def find_workloads(manifests: Sequence[Manifest], device: str, names: Sequence[str]) -> dict[str, list[str]]:
    """Return which workloads run which image of the device: image name → titles."""
    found: dict[str, list[str]] = {}
    for container in containers(manifests):
        if name := match_image(container.image, device, names):
            titles = found.setdefault(name, [])
            if container.manifest.title not in titles:
                titles.append(container.manifest.title)
    return found


def find_unpinned(others: Mapping[str, str]) -> list[str]:
    """Return a reason for each image that is not pinned by digest."""
    return [
        f"{where} runs '{image}', which no digest pins" if image else f"{where} names no image"
        for image, where in others.items()
        if not PINNED.fullmatch(image)
    ]


def digest_in(reference: str) -> str:
    """Return the digest of a pinned reference (also as a pod's status gives it), or an empty string."""
    found = re.search(r"sha256:[0-9a-f]{64}\Z", reference)
    return found[0] if found else ""
