"""What a check of the hardening gate sees and is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from autoclave.model.facts import Severity


class Pod(Struct, frozen=True):
    """The pods of one workload: its title (`Deployment/gateway`), kind, and their specification.

    `settings` are the data of the ConfigMaps that are applied with it, by name. `programs` are the paths at
    which an image has what it runs, by container. With `is_part` only the containers are known, and a
    controller makes the pod around them.
    """

    title: str
    kind: str
    spec: Mapping[str, Any]
    annotations: Mapping[str, Any] = {}
    is_part: bool = False
    settings: Mapping[str, Mapping[str, Any]] = {}
    programs: Mapping[str, frozenset[str]] = {}


class KubernetesObject(Struct, frozen=True):
    """An object that starts no pods: `roles` are those that are applied with it.

    `has_flows` is whether the device file declares all network traffic.
    """

    title: str
    kind: str
    data: Mapping[str, Any]
    roles: frozenset[str] = frozenset()
    has_flows: bool = False


class Check(Struct, frozen=True):
    """One demand: `of` returns why a pod (container None) or one of its containers does not meet it.

    `source` is who else demands it: a profile of the Pod Security Standards, or a chapter of NIST SP 800-190.
    """

    id: str
    severity: Severity
    title: str
    source: str
    of: Callable[[Pod, Mapping[str, Any] | None], str]


class ObjectCheck(Struct, frozen=True):
    """One demand on objects of a kind: `of` returns why one does not meet it."""

    id: str
    severity: Severity
    title: str
    source: str
    kind: str
    of: Callable[[KubernetesObject], str]


def containers(spec: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Yield each container of a pod, and whether it ends before the pod does."""
    for key in ("containers", "initContainers", "ephemeralContainers"):
        for each in spec.get(key) or ():
            # An init container that restarts is a sidecar: it runs as long as the others.
            sidecar = key == "initContainers" and each.get("restartPolicy") == "Always"
            yield each, key != "containers" and not sidecar


def for_pods(why: Callable[[Pod], str]) -> Callable[[Pod, Mapping[str, Any] | None], str]:
    """Return a check's function that looks at pods alone."""
    return lambda pod, container: why(pod) if container is None else ""


def for_containers(
    why: Callable[[Pod, Mapping[str, Any]], str],
) -> Callable[[Pod, Mapping[str, Any] | None], str]:
    """Return a check's function that looks at containers alone."""
    return lambda pod, container: "" if container is None else why(pod, container)
