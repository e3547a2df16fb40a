"""What a device runs only at times: its schedules, its jobs that ended, and what is scaled to nothing.

No pod says what they run. The object in the cluster does, by the digest that pins its image.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from autoclave.targets.kubernetes import state
from autoclave.targets.kubernetes.images import digest_in
from autoclave.targets.kubernetes.objects import read_image_names
from autoclave.targets.kubernetes.pods import find_templates
from autoclave.targets.kubernetes.readiness import condition

Object = Mapping[str, Any]
_OWNERS = 5  # a pod's ReplicaSet, its Deployment, and what an operator puts above


def find_resting(objects: Sequence[Object], applied: Sequence[Object]) -> Iterator[tuple[str, str, str]]:
    """Yield image, digest and title of each workload that rightly has no pod now.

    `applied` are the objects as they were applied: what was scaled down or suspended since does not rest.
    """
    wanted = {title_of(each): each.get("spec") or {} for each in applied}
    for each in objects:
        if not is_resting(each, wanted.get(title_of(each), {})):
            continue
        for template in find_templates([each]):
            names = read_image_names(template.get("metadata") or {})
            for container in _containers(template.get("spec") or {}):
                if image := names.get(str(container.get("name"))):
                    yield image, digest_in(str(container.get("image"))), title_of(each)


def is_resting(of: Object, wanted: Mapping[str, Any]) -> bool:
    """Return whether rightly no pod of a workload runs now. What a controller made does not count.

    `wanted` is its specification as it was applied.
    """
    spec, status = of.get("spec") or {}, of.get("status") or {}
    is_ours = not (of.get("metadata") or {}).get("ownerReferences")
    match of.get("kind"):
        case "CronJob":
            return is_ours and (wanted.get("suspend") is True or spec.get("suspend") is not True)
        case "Job":
            return is_ours and (has_ended(of) or wanted.get("suspend") is True)
        case "Deployment" | "StatefulSet" | "ReplicaSet":
            return is_ours and spec.get("replicas") == wanted.get("replicas", 1) == 0
        case "DaemonSet":
            return is_ours and status.get("desiredNumberScheduled") == 0
    return is_ours and of.get("kind") == "Pod" and status.get("phase") == "Succeeded"


def has_ended(job: Object) -> bool:
    """Return whether a Job ended well."""
    return job.get("kind") == "Job" and condition(job, "Complete") == "True"


def title_of(of: Object) -> str:
    """Return kind and name: `Job/migrate`."""
    return f"{of.get('kind')}/{(of.get('metadata') or {}).get('name')}"


def leave_out(objects: Sequence[Object], leaving: Collection[str]) -> list[Object]:
    """Return the objects without those of these titles (with their group), and without what is theirs.

    The runs that a schedule started are left out as well: of one that leaves, their name alone says so.
    """
    here = {state.title(each): each for each in objects}
    kept = [each for each in objects if not is_of_a_schedule(each, objects)]
    return [each for each in kept if not _is_leaving(each, here, leaving)]


def _is_leaving(of: Object, here: Mapping[str, Object], leaving: Collection[str]) -> bool:
    found: Object | None = of
    for _ in range(_OWNERS):
        if found is None:
            return False
        references = (found.get("metadata") or {}).get("ownerReferences") or ()
        owners = [state.title({**each, "metadata": {"name": each.get("name")}}) for each in references]
        if state.title(found) in leaving or any(owner in leaving for owner in owners):
            return True
        found = next((here[owner] for owner in owners if owner in here), None)
    return False


def is_of_a_schedule(pod: Object, objects: Sequence[Object]) -> bool:
    """Return whether a pod is of a run that a CronJob of the device started: its Job is named after it."""
    schedules = {each["metadata"]["name"] for each in objects if each.get("kind") == "CronJob"}
    owners = (pod.get("metadata") or {}).get("ownerReferences") or ()
    return any(
        each.get("kind") == "Job" and str(each.get("name")).rpartition("-")[0] in schedules for each in owners
    )


def _containers(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for key in ("initContainers", "containers"):
        yield from spec.get(key) or ()
