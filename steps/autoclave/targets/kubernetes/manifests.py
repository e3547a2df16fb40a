"""Kubernetes manifests of a device repository: read strictly, changed in place, comments kept."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from autoclave.device.schema import resolve_inside
from autoclave.errors import ConfigError, SourceError
from autoclave.policy.schema import ObjectPaths
from autoclave.targets.kubernetes import go_yaml

_LARGEST = 2 << 20
"""Bytes of manifests that are read: etcd stores no object above 1.5 MiB."""
_PLAIN = {
    "kind": re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}"),
    "apiVersion": re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(/[a-z0-9]{1,63})?"),
    "metadata.name": re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:_-]{0,251}[A-Za-z0-9])?"),
}
"""What appears in kubectl's arguments and in messages: a name must not be an option or an escape code."""

POD_SPECS: Mapping[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "Deployment": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
"""Where the pods' specification is, in each kind of workload."""


_GROUPS = {"Pod": "", "Job": "batch", "CronJob": "batch"}  # of the others, it is apps


class Manifest(Struct, frozen=True):
    """One object: `data` is the YAML mapping with its comments, `source` is where it was read.

    `paths` are where an object of a kind that is no workload says what runs, as the policy has it.
    """

    kind: str
    api_version: str
    name: str
    data: Any
    source: str
    paths: ObjectPaths = ObjectPaths()

    @property
    def title(self) -> str:
        """Kind and name, as for kubectl: `Deployment/gateway`."""
        return f"{self.kind}/{self.name}"

    @property
    def group(self) -> str:
        """The API group, empty for the core's."""
        return self.api_version.rpartition("/")[0]

    @property
    def is_workload(self) -> bool:
        """Whether it is a kind of Kubernetes' own that starts pods."""
        return is_workload(self.data)


def is_workload(of: Mapping[str, Any]) -> bool:
    """Return whether an object is of a kind of Kubernetes' own that starts pods."""
    kind, group = str(of.get("kind")), str(of.get("apiVersion", "")).rpartition("/")[0]
    return kind in POD_SPECS and group == _GROUPS.get(kind, "apps")


def read(text: str, source: str) -> list[Manifest]:
    """Read the documents of a YAML text; a `List` counts as its items.

    Raises ConfigError for what is not YAML, is not an object of Kubernetes, is too large, or is there twice.
    """
    if len(text) > _LARGEST:
        raise ConfigError(
            f"{source}: larger than {_LARGEST >> 20} MiB", next="split it, or remove what no cluster accepts"
        )
    found: list[Manifest] = []
    for document in go_yaml.load(text, source):
        found += _objects(document, source)
    _refuse_duplicates(found)
    return found


def read_files(folder: Path, names: Sequence[str]) -> list[Manifest]:
    """Read plain manifests: files, or folders of `*.yaml` and `*.yml` (not their subfolders).

    Raises SourceError for paths that leave the device folder or do not exist, ConfigError for content.
    """
    found: list[Manifest] = []
    for name in names:
        start = resolve_inside(folder, name)
        if not start.exists():
            raise SourceError(
                f"'{name}', which kubernetes.manifests names, does not exist", next="fix autoclave.toml"
            )
        files = (
            sorted(each for each in start.iterdir() if each.suffix in {".yaml", ".yml"})
            if start.is_dir()
            else [start]
        )
        for file in files:
            relative = file.relative_to(folder.resolve())
            found += read(_text(resolve_inside(folder, str(relative))), str(relative))
    if not found:
        raise ConfigError(
            f"no manifest was found in {', '.join(names) or 'nothing'}",
            next="name files in [environment.kubernetes] manifests",
        )
    _refuse_duplicates(found)
    return found


def dump(manifests: Sequence[Manifest]) -> str:
    """Write manifests as one YAML text, with the comments that they were read with."""
    return go_yaml.dump([each.data for each in manifests])


def copy_manifest(manifest: Manifest) -> Manifest:
    """Return a copy whose data may be changed."""
    return structs.replace(manifest, data=copy.deepcopy(manifest.data))


def set_namespace(manifests: Sequence[Manifest], namespace: str) -> list[Manifest]:
    """Put every object into a namespace. Raises ConfigError for another one, and for cluster-wide kinds."""
    return [_set_namespace(copy_manifest(each), namespace) for each in manifests]


def _set_namespace(manifest: Manifest, namespace: str) -> Manifest:
    if manifest.kind in CLUSTER_WIDE:
        raise ConfigError(
            f"{manifest.source}: {manifest.title} belongs to no namespace",
            why="a device changes its own namespace, never the rest of the cluster",
            next="remove it from the manifests; the cluster's administrator applies it",
        )
    metadata = manifest.data["metadata"]
    if metadata.get("namespace", namespace) != namespace:
        raise ConfigError(
            f"{manifest.source}: {manifest.title} is in namespace '{metadata['namespace']}', "
            f"but the environment's is '{namespace}'",
            next="remove the namespace from the manifest: the environment names it",
        )
    metadata["namespace"] = namespace
    return manifest


CLUSTER_WIDE = frozenset(
    {
        "Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "StorageClass",
        "CustomResourceDefinition", "PriorityClass", "RuntimeClass", "IngressClass", "APIService",
        "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
        "CSIDriver", "CSINode", "VolumeAttachment", "CertificateSigningRequest", "SecurityContextConstraints",
    }
)  # fmt: skip
"""Kinds that belong to no namespace, refused before a cluster is contacted; the server knows others."""


def _objects(document: Any, source: str) -> list[Manifest]:
    if document is None:
        return []
    if not isinstance(document, Mapping) or not all(
        isinstance(document.get(key), str) for key in ("apiVersion", "kind")
    ):
        raise ConfigError(
            f"{source}: a document is not an object with apiVersion and kind", next="fix the file"
        )
    if document["kind"].endswith("List") and isinstance(document.get("items"), list):
        return [each for item in document["items"] for each in _objects(item, source)]
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if name is not None and not isinstance(name, str):
        raise ConfigError(
            f"{source}: metadata.name of a {document['kind']} is {name!r} and not text",
            why="kubectl reads words such as y, no and 010 so",
            next="put it into quotes",
        )
    if not name:
        raise ConfigError(
            f"{source}: a {document['kind']} has no metadata.name",
            why="what is deployed must be found again, and generateName creates another object every time",
            next="give it a name",
        )
    for key, value in (
        ("kind", document["kind"]),
        ("apiVersion", document["apiVersion"]),
        ("metadata.name", name),
    ):
        if not _PLAIN[key].fullmatch(value):
            raise ConfigError(
                f"{source}: {key} {value[:80]!r} is not valid in Kubernetes", next="fix the file"
            )
    return [Manifest(document["kind"], document["apiVersion"], name, document, source)]


def _refuse_duplicates(manifests: Sequence[Manifest]) -> None:
    first: dict[tuple[str, str, str], Manifest] = {}
    for each in manifests:
        other = first.setdefault((each.group, each.kind, each.name), each)
        if other is not each:
            raise ConfigError(
                f"{each.source}: {each.title} is there twice",
                why=f"the other one is in {other.source}; the last one applied would win",
                next="remove one of them",
            )


def _text(path: Path) -> str:
    if not path.is_file():
        raise SourceError(f"{path} is not a file")
    if path.stat().st_size > _LARGEST:
        raise ConfigError(f"{path}: larger than {_LARGEST >> 20} MiB", next="split it")
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: this is not UTF-8 text", next="save it as UTF-8") from error
