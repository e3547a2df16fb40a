"""Watch a rollout until every pod runs the digests that were applied, or report why it does not progress."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from autoclave.console.base import Screen
from autoclave.errors import ClusterError
from autoclave.model.facts import Running
from autoclave.targets.base import STEP, Unhealthy
from autoclave.targets.kubernetes.images import digest_in
from autoclave.targets.kubernetes.kubectl import Kubectl
from autoclave.targets.kubernetes.manifests import is_workload
from autoclave.targets.kubernetes.objects import read_image_names
from autoclave.targets.kubernetes.readiness import describe_pending, is_ready, is_terminating
from autoclave.targets.kubernetes.reasons import Reason, find_reasons, is_permanent
from autoclave.targets.kubernetes.resting import (
    find_resting,
    has_ended,
    is_of_a_schedule,
    leave_out,
    title_of,
)

Object = Mapping[str, Any]

WORKLOADS = "deployments,replicasets,statefulsets,daemonsets,jobs,cronjobs,pods"
_PAUSE = 0.25
_QUIET = 2.0  # seconds without progress after which events are read, and between two readings
_GRACE = 15.0  # seconds after which a permanent reason is one, and not a hiccup
_TAIL = 8  # lines of a container's output that explain why it ended


def watch(
    kubectl: Kubectl,
    desired: Sequence[Object],
    select: str,
    digests: Mapping[str, str],
    screen: Screen,
    *,
    timeout: float,
    leaving: Collection[str] = (),
    unstick: bool = False,
) -> list[Running]:
    """Wait until all workloads exist and their pods run `digests` (by image); read them back.

    `timeout` is seconds, and excludes those for which the API server is absent. Those in `leaving` (titles)
    are deleted afterwards and need not run the digests. `unstick` deletes the pods for which a StatefulSet
    would wait forever. Raises Unhealthy with the reason, on one screen, when it stalls or time runs out.
    """
    titles = {title_of(each): each for each in desired if is_workload(each)}
    ended: dict[str, Object] = {}
    began, away = time.monotonic(), kubectl.away
    # When reasons were last looked for, and since when a permanent one is known.
    pending, looked, since = "", began, began
    found: list[Reason] = []
    while True:
        objects: Sequence[Object] = kubectl.json("get", WORKLOADS, f"--selector={select}")
        # A Job may be removed as soon as it ended: what was seen of it counts.
        ended |= {title_of(each): each for each in objects if has_ended(each)}
        seen = {title_of(each) for each in objects}
        removed = [each for key, each in ended.items() if key not in seen]
        objects = leave_out([*objects, *removed], leaving)
        lines = _list_pending(titles, objects, digests)
        if not lines:
            return read_back(objects, desired)
        if "; ".join(lines) != pending:
            pending = "; ".join(lines)
            screen.note(STEP, pending)
            looked = since = time.monotonic()  # what progresses needs no reasons
        if unstick:
            kubectl.delete([f"pod/{name}" for name in find_stuck(objects)])
        now = time.monotonic()
        late = now - began - (kubectl.away - away) > timeout
        if late or now - looked > _QUIET:
            looked = now
            found = _reasons(kubectl, objects)
            since = since if any(is_permanent(each) for each in found) else now
        if late or now - since > _GRACE:
            _show_logs(kubectl, found, screen)
            limit = f"not within {timeout:.0f} s" if late else "it does not progress"
            raise Unhealthy("\n".join([f"{limit}: {pending}", *(f"  {each.line}" for each in found)]))
        time.sleep(_PAUSE)


def read_back(objects: Sequence[Object], applied: Sequence[Object] = ()) -> list[Running]:
    """Return what pods run, by image of the device: by their status, not by what was applied.

    What has no pod now, and rightly so, is read from the object that starts some at times. An image whose
    pods run several digests, or are not all ready, is not healthy.
    """
    seen: dict[str, list[tuple[str, bool]]] = {}
    for pod in objects:
        if pod.get("kind") != "Pod" or is_terminating(pod) or is_of_a_schedule(pod, objects):
            continue
        names = read_image_names(pod.get("metadata") or {})
        for name, image_id in _image_ids(pod).items():
            if image := names.get(name):
                seen.setdefault(image, []).append((digest_in(image_id), is_ready(pod)))
    resting: dict[str, list[str]] = {}
    count = {image: len(pods) for image, pods in seen.items()}
    for image, digest, where in find_resting(objects, applied):
        seen.setdefault(image, []).append((digest, True))
        resting.setdefault(image, []).append(where)
    late = any(describe_pending(each) for each in objects if each.get("kind") != "ReplicaSet")
    return [
        _make_running(image, found, _describe_place(count.get(image, 0), resting.get(image, ())), late=late)
        for image, found in sorted(seen.items())
    ]


def _describe_place(pods: int, resting: Sequence[str]) -> str:
    """Return by what an image is there: its pods, else the objects that start some at times."""
    if not pods:
        return f"(no pod now: {', '.join(sorted(set(resting)))})"
    return f"({pods} {'pod' if pods == 1 else 'pods'})"


def find_stuck(objects: Sequence[Object]) -> list[str]:
    """Return the pods of an older revision that are not ready, for which a StatefulSet waits forever.

    Source: Kubernetes, StatefulSets, "Forced rollback".
    """
    revisions = {
        each["metadata"]["name"]: (each.get("status") or {}).get("updateRevision")
        for each in objects
        if each.get("kind") == "StatefulSet"
        and (each.get("status") or {}).get("observedGeneration") == each["metadata"].get("generation")
    }
    return [
        str(pod["metadata"]["name"])
        for pod in objects
        if pod.get("kind") == "Pod" and not is_ready(pod) and not is_terminating(pod)
        for owner in pod["metadata"].get("ownerReferences") or ()
        if owner.get("kind") == "StatefulSet"
        and owner.get("name") in revisions
        and (pod["metadata"].get("labels") or {}).get("controller-revision-hash") != revisions[owner["name"]]
    ]


def _list_pending(
    titles: Mapping[str, Object], objects: Sequence[Object], digests: Mapping[str, str]
) -> list[str]:
    """Return what is still to come, as lines of progress; empty when all runs as it was applied."""
    mine = [each for each in objects if title_of(each) in titles]
    here = {title_of(each) for each in mine}
    lines = [f"{each} {_explain_missing(titles[each])}" for each in sorted(titles.keys() - here)]
    lines += [line for each in mine if (line := describe_pending(each))]
    if lines:
        return lines
    runs = {each.image: each for each in read_back(objects, list(titles.values()))}
    return [
        f"{image}: pods run {runs[image].digest if image in runs else 'nothing'}, not {digest}"
        for image, digest in digests.items()
        if image not in runs or runs[image].digest != digest or not runs[image].healthy
    ]


def _explain_missing(workload: Object) -> str:
    seconds = (workload.get("spec") or {}).get("ttlSecondsAfterFinished")
    if workload["kind"] != "Job" or seconds is None:
        return "does not exist yet"
    return f"does not exist, or was removed before its end was seen (ttlSecondsAfterFinished: {seconds})"


def _make_running(image: str, found: list[tuple[str, bool]], where: str, *, late: bool) -> Running:
    digests = {digest for digest, _ in found}
    one = next(iter(digests)) if len(digests) == 1 else ""
    return Running(
        image=image,
        digest=one or "mixed: " + ", ".join(sorted(each or "not pulled" for each in digests)),
        container=one,
        healthy=bool(one) and not late and all(ready for _, ready in found),
        inputs="",
        address=where,
    )


def _image_ids(pod: Object) -> dict[str, str]:
    """Return what each container runs, by the pod's status; empty for one that has no status yet."""
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    found = {str(each.get("name")): "" for each in spec.get("containers") or ()}
    for each in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        found[str(each.get("name"))] = str(each.get("imageID") or "")
    return found


def _reasons(kubectl: Kubectl, objects: Sequence[Object]) -> list[Reason]:
    more = kubectl.json("get", "events,persistentvolumeclaims")
    # Sets that were scaled down are of old versions, and so are their reasons.
    current = [
        each
        for each in objects
        if each.get("kind") != "ReplicaSet" or (each.get("spec") or {}).get("replicas")
    ]
    return find_reasons([*current, *more])


def _show_logs(kubectl: Kubectl, found: Sequence[Reason], screen: Screen) -> None:
    for each in found:
        if not each.log:
            continue
        pod, _, container = each.log.partition("/")
        for previous in ("--previous=false", "--previous=true"):
            try:
                printed = kubectl.text("logs", pod, f"--container={container}", f"--tail={_TAIL}", previous)
            except ClusterError:
                continue  # the container was removed, or was not started a second time
            for line in printed.splitlines():
                screen.line(STEP, f"{pod} │ {line}")
            if printed.strip():
                return
