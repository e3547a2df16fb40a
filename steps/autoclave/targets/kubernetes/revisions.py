"""What makes a change of a device visible to the cluster, which compares pod templates and nothing else.

A ConfigMap that changes restarts no pod, and a Job whose template changes is refused. So pod templates carry
the digest of the configuration that they use, and a Job's name that of its specification.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autoclave.model.digest import digest_of
from autoclave.targets.kubernetes.labels import CONFIGURATION
from autoclave.targets.kubernetes.manifests import Manifest
from autoclave.targets.kubernetes.pods import pod_metadata, pod_specs

_NAMES = {
    **dict.fromkeys(("configMap", "configMapRef", "configMapKeyRef"), "ConfigMap"),
    **dict.fromkeys(("secret", "secretRef", "secretKeyRef"), "Secret"),
}
_CONTENT = ("data", "binaryData", "stringData")
_STARTED_ONCE = frozenset({"Pod", "CronJob"})
"""Kinds whose pods are not replaced: those of a CronJob's next run read what is there then."""
_CHANGEABLE = ("parallelism", "suspend", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
"""What may change in a Job that exists. Source: Kubernetes 1.34, pkg/apis/batch/validation."""
_LONGEST = 63  # characters of a Job's name, which is a label of its pods
_DIGITS = 8


def note_configuration(manifests: Sequence[Manifest]) -> None:
    """Annotate pod templates with the digest of the ConfigMaps and Secrets of the device that they use."""
    content = {
        (each.kind, each.name): {key: each.data[key] for key in _CONTENT if each.data.get(key)}
        for each in manifests
        if each.kind in {"ConfigMap", "Secret"} and each.api_version == "v1"
    }
    for manifest in manifests:
        if manifest.kind in _STARTED_ONCE:
            continue
        used = sorted(
            {name for place in pod_specs(manifest) for name in _find_names(place.value)} & content.keys()
        )
        for metadata in pod_metadata(manifest) if used else ():
            text = json.dumps([[name, content[name]] for name in used], sort_keys=True)
            if metadata.get("annotations") is None:
                metadata["annotations"] = {}
            metadata["annotations"][CONFIGURATION] = digest_of(text.encode())


def _find_names(value: Any) -> Iterator[tuple[str, str]]:
    """Yield kind and name of each ConfigMap and Secret that a specification of pods refers to."""
    for key, each in value.items() if isinstance(value, Mapping) else ():
        if key in _NAMES and isinstance(each, Mapping):
            yield _NAMES[key], str(each.get("secretName") or each.get("name"))
        yield from _find_names(each)
    for each in value if isinstance(value, list) else ():
        yield from _find_names(each)


def name_jobs(manifests: Sequence[Manifest]) -> None:
    """Give each Job a name of its own for what it runs: what cannot be changed in place is a new Job."""
    for each in manifests:
        if each.kind != "Job" or not each.is_workload:
            continue
        spec = each.data.get("spec")
        fixed = {key: value for key, value in spec.items() if key not in _CHANGEABLE} if spec else {}
        digest = hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:_DIGITS]
        each.data["metadata"]["name"] = f"{each.name[: _LONGEST - _DIGITS - 1].rstrip('-.')}-{digest}"
