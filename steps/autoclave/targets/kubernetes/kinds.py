"""Which kinds of objects a device may apply: workloads, plain ones, and those that the organisation names.

Any other kind has a controller that may start pods from fields that nobody here knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import structs

from autoclave.policy.schema import ObjectPaths
from autoclave.targets.kubernetes.manifests import Manifest

PLAIN: Mapping[str, frozenset[str]] = {
    "": frozenset(
        {
            "ConfigMap", "LimitRange", "PersistentVolumeClaim", "ResourceQuota", "Secret", "Service",
            "ServiceAccount",
        }
    ),
    "autoscaling": frozenset({"HorizontalPodAutoscaler"}),
    "coordination.k8s.io": frozenset({"Lease"}),
    "networking.k8s.io": frozenset({"Ingress", "NetworkPolicy"}),
    "policy": frozenset({"PodDisruptionBudget"}),
    "rbac.authorization.k8s.io": frozenset({"Role", "RoleBinding"}),
    "route.openshift.io": frozenset({"Route"}),
}  # fmt: skip
"""By API group, the kinds that start no pod and whose fields are known."""


def admit(
    manifests: Sequence[Manifest], granted: Mapping[str, ObjectPaths]
) -> tuple[list[Manifest], list[str]]:
    """Return the manifests with the places that the policy names, and why some must not be applied."""
    admitted, reasons = [], []
    for each in manifests:
        if is_known(each):
            admitted.append(each)
            continue
        paths = granted.get(name_of(each))
        admitted.append(structs.replace(each, paths=paths) if paths is not None else each)
        if paths is None:
            reasons.append(
                f"{each.source}: {name_of(each)}/{each.name} is of a kind that is not known here, and what "
                "it starts can neither be pinned nor judged: remove it, or have the organisation allow it in "
                f'its policy, [kubernetes.kinds."{name_of(each)}"] with the places of its images and pods'
            )
    return admitted, reasons


def is_known(manifest: Manifest) -> bool:
    """Return whether all that a kind starts is known here."""
    return manifest.is_workload or manifest.kind in PLAIN.get(manifest.group, ())


def name_of(manifest: Manifest) -> str:
    """Return kind and group, as the policy has them: `Workflow.argoproj.io`."""
    return f"{manifest.kind}.{manifest.group}" if manifest.group else manifest.kind
