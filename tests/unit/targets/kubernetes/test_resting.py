"""What runs only at times is deployed by the digest that its object pins."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest

from autoclave.console.json import JsonScreen
from autoclave.model.facts import Running
from autoclave.targets.base import Unhealthy
from autoclave.targets.kubernetes.kubectl import Kubectl
from autoclave.targets.kubernetes.state import AppliedObjects, RolloutState, find_removed_jobs
from autoclave.targets.kubernetes.watch import read_back, watch

module = import_module("autoclave.targets.kubernetes.watch")
OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}


def workload(
    kind: str, digest: str = NEW, *, name: str = "app", status: Any = None, **spec: Any
) -> dict[str, Any]:
    note = {"dev.autoclave.images": json.dumps({"app": "gateway"})}
    image = {"name": "app", "image": f"r.example/pump@{digest}"}
    template: dict[str, Any] = {"metadata": {"annotations": note}, "spec": {"containers": [image]}}
    if kind == "CronJob":
        template = {"spec": {"template": template}}
    holder = {"jobTemplate" if kind == "CronJob" else "template": template}
    return {
        "apiVersion": "batch/v1" if kind.endswith("Job") else "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "generation": 1},
        "spec": {**holder, **spec},
        "status": {"observedGeneration": 1, **(status or {})},
    }


def pod(digest: str, owner: str = "", kind: str = "Job") -> dict[str, Any]:
    owners = [{"kind": kind, "name": owner}] if owner else []
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "p",
            "annotations": {"dev.autoclave.images": json.dumps({"app": "gateway"})},
            "ownerReferences": owners,
        },
        "spec": {"containers": [{"name": "app", "image": f"r@{digest}"}]},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "app", "imageID": f"r@{digest}"}],
        },
    }


RESTING = {
    "schedule": workload("CronJob"),
    "finished job": workload("Job", status=COMPLETE),
    "suspended job": workload("Job", suspend=True),
    "scaled to nothing": workload("Deployment", replicas=0),
    "set scaled to nothing": workload("StatefulSet", replicas=0),
    "for no node": workload("DaemonSet", status={"desiredNumberScheduled": 0}),
}


def wait(objects: list[dict[str, Any]], desired: list[dict[str, Any]], **more: Any) -> list[Running]:
    class Cluster:
        away = 0.0

        def json(self, *words: str) -> list[dict[str, Any]]:
            return objects if "events" not in words[1] else []

        def delete(self, titles: list[str]) -> None:
            assert not titles

    cluster: Any = Cluster()
    found: Kubectl = cluster
    leaving = more.get("leaving", ())
    timeout = more.get("timeout", 0.05)
    return watch(found, desired, "x=y", {"gateway": NEW}, JsonScreen(), timeout=timeout, leaving=leaving)


@pytest.mark.parametrize("of", RESTING.values(), ids=RESTING)
def test_an_image_without_a_pod_is_read_from_its_object(of: dict[str, Any]) -> None:
    (running,) = wait([of], [of])
    assert (running.digest, running.healthy) == (NEW, True)
    assert running.address == f"(no pod now: {of['kind']}/app)"


@pytest.mark.parametrize("of", [workload("Deployment", replicas=1), workload("Job"), workload("ReplicaSet")])
def test_an_image_whose_pods_are_missing_is_not(of: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0)
    with pytest.raises(Unhealthy):
        wait([of], [of])


def test_an_object_with_another_digest_is_not_what_was_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0)
    with pytest.raises(Unhealthy, match=f"pods run {OLD}, not {NEW}"):
        wait([workload("CronJob", OLD)], [workload("CronJob")])


@pytest.mark.parametrize(
    ("live", "applied"),
    [
        (workload("Deployment", replicas=0), workload("Deployment", replicas=3)),
        (workload("Deployment", replicas=0), workload("Deployment")),
        (workload("CronJob", suspend=True), workload("CronJob")),
        (workload("Job", suspend=True), workload("Job")),
    ],
)
def test_what_somebody_scaled_down_or_suspended_is_not_deployed(live: Any, applied: Any) -> None:
    assert read_back([live], [applied]) == []
    assert read_back([live], [live])[0].healthy


def test_what_ran_before_and_rests_does_not_count() -> None:
    old = workload("Job", OLD, name="app-1", status=COMPLETE)
    new = workload("Job", name="app-2", status=COMPLETE)
    assert wait([old, new], [new], leaving=["Job.batch/app-1"])[0].digest == NEW
    assert read_back([old, new])[0].digest == f"mixed: {OLD}, {NEW}"


def test_a_workload_that_will_be_deleted_need_not_run_the_new_version() -> None:
    status = {"updatedReplicas": 1, "availableReplicas": 1, "replicas": 1}
    kept = workload("Deployment", replicas=1, status=status)
    gone = workload("Deployment", OLD, name="gone", replicas=1, status=status)
    revision = workload("ReplicaSet", OLD, name="gone-1", replicas=1, status=status)
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gone"}
    revision["metadata"]["ownerReferences"] = [owner]
    running, old = pod(NEW), pod(OLD, "gone-1", "ReplicaSet")
    old["metadata"]["ownerReferences"][0]["apiVersion"] = "apps/v1"
    objects = [kept, gone, revision, running, old]
    assert wait(objects, [kept], leaving=["Deployment.apps/gone"])[0].digest == NEW
    with pytest.raises(Unhealthy, match="mixed"):
        wait(objects, [kept])


def test_old_revisions_of_a_deployment_do_not_count() -> None:
    of = workload("Deployment", replicas=0)
    revision = workload("ReplicaSet", OLD, replicas=0)
    revision["metadata"]["ownerReferences"] = [{"kind": "Deployment", "name": "app"}]
    assert read_back([of, revision], [of])[0].digest == NEW


def test_a_run_that_a_schedule_started_before_does_not_hold_up_a_deployment() -> None:
    of = workload("CronJob")
    assert wait([of, pod(OLD, "app-29384")], [of])[0].digest == NEW
    running = read_back([workload("Job"), pod(OLD, "app")])
    assert running[0].digest == OLD
    new = workload("Job", name="new", status=COMPLETE)
    assert wait([of, new, pod(OLD, "app-29384")], [new], leaving=["CronJob.batch/app"])[0].digest == NEW
    stranger = read_back([of, pod(OLD, "other-29384")])
    assert stranger[0].digest == f"mixed: {OLD}, {NEW}"


def test_a_job_that_is_removed_once_it_ended_has_been_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0)
    job = workload("Job", status=COMPLETE, ttlSecondsAfterFinished=1)
    late = workload(
        "Deployment", name="late", status={"updatedReplicas": 1, "availableReplicas": 0}, replicas=1
    )
    done = late | {"status": late["status"] | {"availableReplicas": 1, "replicas": 1}}
    answers = iter([[job, late], [late], [done]])

    class Cluster:
        away = 0.0

        def json(self, *words: str) -> list[dict[str, Any]]:
            return next(answers)

    cluster: Any = Cluster()
    (running,) = watch(cluster, [job, late], "x=y", {"gateway": NEW}, JsonScreen(), timeout=5)
    assert running.digest == NEW


def test_a_job_that_was_never_seen_to_end_is_not_taken_for_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0)
    with pytest.raises(Unhealthy, match="removed before its end was seen"):
        wait([], [workload("Job", ttlSecondsAfterFinished=0)])


def test_a_removed_job_still_is_what_was_deployed() -> None:
    job = workload("Job", ttlSecondsAfterFinished=1, status={})
    kept = RolloutState(AppliedObjects([job, workload("Job", name="stays")]))
    (found,) = find_removed_jobs(kept, [])
    assert read_back([found])[0].digest == NEW
    assert find_removed_jobs(kept, [job]) == []
    assert find_removed_jobs(RolloutState(), []) == []


def test_a_job_that_failed_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0)
    monkeypatch.setattr(module, "_QUIET", 0.0)
    monkeypatch.setattr(module, "_GRACE", 0.05)
    failed = {"type": "Failed", "status": "True", "message": "Job has reached the specified backoff limit"}
    job = workload("Job", status={"conditions": [failed]})
    with pytest.raises(
        Unhealthy, match="Job app: JobFailed: Job has reached the specified backoff limit"
    ) as caught:
        wait([job], [job], timeout=30)
    assert "it does not progress" in str(caught.value)
