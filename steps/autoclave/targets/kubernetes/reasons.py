"""Why a rollout does not progress, on one screen: from the status of its objects, and from events."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from autoclave.targets.kubernetes.readiness import condition, is_ready, is_terminating

Object = Mapping[str, Any]

_HARD = (
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImagePullBackOff",
    "ErrImagePull",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "ended with",
    "OOMKilled",
    "FailedCreate",
    "JobFailed",
)
"""Reasons that seldom pass by themselves."""
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
_LONGEST = 240
_MOST = 10


class Reason(Struct, frozen=True):
    """One thing that prevents progress: what it is about, the reason's name, the message.

    `log` names a container whose last output explains more: `POD/CONTAINER`.
    """

    about: str
    name: str
    message: str
    log: str = ""

    @property
    def line(self) -> str:
        """The reason as a line."""
        return f"{self.about}: {self.name}{': ' + self.message if self.message else ''}"


def find_reasons(objects: Sequence[Object]) -> list[Reason]:
    """Return what prevents progress; the same reason of many pods is listed once."""
    events = [each for each in objects if each.get("kind") == "Event"]
    found: list[Reason] = []
    for each in objects:
        match each.get("kind"):
            case "Pod":
                found += _pod(each, events)
            case "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job":
                found += _set(each, events)
            case "PersistentVolumeClaim":
                found += _claim(each, events)
    merged: dict[tuple[str, str], Reason] = {}
    for reason in found:
        merged.setdefault((reason.name, _without_names(reason)), reason)
    return list(merged.values())[:_MOST]


def is_permanent(reason: Reason) -> bool:
    """Return whether a reason that has lasted for a while will not pass by waiting."""
    return reason.name.startswith(_HARD)


def _pod(pod: Object, events: Sequence[Object]) -> Iterator[Reason]:
    if is_terminating(pod) or is_ready(pod):
        return
    name = pod["metadata"]["name"]
    status = pod.get("status") or {}
    for each in status.get("conditions") or ():
        if each.get("type") == "PodScheduled" and each.get("status") == "False":
            yield Reason(f"pod {name}", str(each.get("reason")), _shorten(each.get("message")))
            return
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    for each in statuses:
        yield from _container(name, each, events)
    if not statuses:
        yield from _from_events("Pod", name, f"pod {name}", events)


def _container(pod: str, status: Object, events: Sequence[Object]) -> Iterator[Reason]:
    about, log = f"pod {pod}, container {status['name']}", f"{pod}/{status['name']}"
    state = status.get("state") or {}
    last = (status.get("lastState") or {}).get("terminated") or {}
    if waits := state.get("waiting"):
        name = str(waits.get("reason"))
        if name in {"ContainerCreating", "PodInitializing"}:
            yield from _from_events("Pod", pod, f"pod {pod}", events)
        elif name == "CrashLoopBackOff":
            yield Reason(about, _describe_exit(last), f"restarted {status.get('restartCount', 0)} times", log)
        else:
            yield Reason(about, name, _shorten(waits.get("message")))
    elif ended := state.get("terminated"):
        if ended.get("exitCode") or ended.get("reason") != "Completed":
            yield Reason(about, _describe_exit(ended), _shorten(ended.get("message")), log)
    elif not status.get("ready"):
        failing = [each for each in _find_events("Pod", pod, events) if each.get("reason") == "Unhealthy"]
        if failing:
            yield Reason(about, "probe fails", _shorten(_newest(failing).get("message")), log)
        elif last:
            yield Reason(about, _describe_exit(last), "it was restarted", log)
        else:
            yield Reason(about, "not ready", "its readiness probe has not passed yet")


def _set(workload: Object, events: Sequence[Object]) -> Iterator[Reason]:
    """Yield why a set cannot create its pods: quota, Pod Security, admission."""
    kind, name = str(workload["kind"]), workload["metadata"]["name"]
    if kind == "Job" and condition(workload, "Failed") == "True":
        failed = [each for each in workload["status"]["conditions"] if each.get("type") == "Failed"]
        yield Reason(f"Job {name}", "JobFailed", _shorten(failed[0].get("message")))
        return
    for each in (workload.get("status") or {}).get("conditions") or ():
        if each.get("type") == "ReplicaFailure" and each.get("status") == "True":
            yield Reason(f"{kind} {name}", str(each.get("reason")), _shorten(each.get("message")))
            return
    refused = [each for each in _find_events(kind, name, events) if each.get("reason") == "FailedCreate"]
    desired = int((workload.get("spec") or {}).get("replicas") or 1)
    if refused and int((workload.get("status") or {}).get("replicas") or 0) < desired:
        yield Reason(f"{kind} {name}", "FailedCreate", _shorten(_newest(refused).get("message")))


def _claim(claim: Object, events: Sequence[Object]) -> Iterator[Reason]:
    if (claim.get("status") or {}).get("phase") == "Pending":
        name = claim["metadata"]["name"]
        about = _find_events("PersistentVolumeClaim", name, events)
        why = _newest(about).get("message") if about else "no volume matches"
        yield Reason(f"claim {name}", "not bound", _shorten(why))


def _from_events(kind: str, name: str, about: str, events: Sequence[Object]) -> Iterator[Reason]:
    warnings = [each for each in _find_events(kind, name, events) if each.get("type") == "Warning"]
    if warnings:
        newest = _newest(warnings)
        yield Reason(about, str(newest.get("reason")), _shorten(newest.get("message")))


def _find_events(kind: str, name: str, events: Sequence[Object]) -> list[Object]:
    found = [(each.get("involvedObject") or {}, each) for each in events]
    return [each for of, each in found if of.get("kind") == kind and of.get("name") == name]


def _newest(events: Sequence[Object]) -> Object:
    return max(events, key=lambda each: str(each.get("lastTimestamp") or each.get("eventTime") or ""))


def _describe_exit(terminated: Object) -> str:
    if terminated.get("reason") == "OOMKilled":
        return "OOMKilled"
    return f"ended with exit code {terminated.get('exitCode', '?')}"


def _shorten(text: Any) -> str:
    short = _DIGEST.sub(r"\1…", " ".join(str(text or "").split()))
    return short if len(short) <= _LONGEST else f"{short[:_LONGEST]}…"


def _without_names(reason: Reason) -> str:
    """Return the message without the names of pods, which differ between replicas."""
    for word in reason.about.replace(",", "").split():
        if "-" in word:
            return reason.message.replace(word, "")
    return reason.message
