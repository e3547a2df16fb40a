"""A namespace as the place of releases: what a deployment that died left is completed, or undone."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from autoclave import targets
from autoclave.console.json import JsonScreen
from autoclave.context import Context
from autoclave.device.schema import Environment, Kubernetes, Service
from autoclave.errors import ClusterError, ToolError
from autoclave.runtime.options import Common
from autoclave.store.image import ImageIdentity
from autoclave.store.oci import MANIFEST, Descriptor
from autoclave.targets import base
from autoclave.targets.base import Rollout, Target, Unhealthy
from builders.memory_cluster import MemoryCluster

DEVICE = """
[device]
name = "pump"
version = "1.0.0"
safety-class = "A"
[[image]]
name = "app"
"""
MANIFESTS = """
apiVersion: v1
kind: Pod
metadata: {name: app}
spec: {containers: [{name: app, image: pump/app}]}
---
apiVersion: v1
kind: Service
metadata: {name: app}
spec: {ports: [{port: 80}]}
"""
SETTINGS = Kubernetes(namespace="clinic", manifests=["deploy.yaml"], repository="r.example/pump", timeout=1)
WARD = Environment(name="ward", target="kubernetes", kubernetes=SETTINGS)
OLD, NEW, SICK = (f"sha256:{letter * 64}" for letter in "abc")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> MemoryCluster:
    watch = import_module("autoclave.targets.kubernetes.watch")
    image = ImageIdentity(
        digest=NEW, config=NEW, diff_ids=(), cmd=("python", "app.py"), working_dir="/srv/pump"
    )
    monkeypatch.setattr(import_module("autoclave.targets.kubernetes"), "read_identity", lambda *_: image)
    monkeypatch.setattr(watch, "_PAUSE", 0)
    monkeypatch.setattr(watch, "_GRACE", 0.1)
    made = MemoryCluster()
    made.sick = {SICK}
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "autoclave.toml").write_text(DEVICE)
    (tmp_path / "deploy.yaml").write_text(MANIFESTS)
    return tmp_path


def place(folder: Path, cluster: MemoryCluster) -> Target:
    target = targets.create(WARD, Context(Common(folder=str(folder)), JsonScreen()))
    target.__dict__["_kubectl"] = cluster
    return target


def rollout(digest: str) -> Rollout:
    service = base.Service(
        image="app",
        descriptor=Descriptor(media_type=MANIFEST, digest=digest, size=1),
        settings=Service(),
        publish=None,
        inputs="sha256:1",
    )
    return Rollout(device="pump", environment=WARD, services=(service,))


def apply(target: Target, release: Rollout) -> None:
    target.recover(release)
    target.prepare(release)
    target.rehearse(release)
    target.apply(release)
    target.observe(release)


def deploy(target: Target, release: Rollout) -> None:
    apply(target, release)
    target.finish(release)


def digests(target: Target) -> list[str]:
    return [each.digest for each in target.running()]


def fail_at(cluster: MemoryCluster, start: str, error: BaseException) -> None:
    def refuse(call: str) -> None:
        if call.startswith(start):
            raise error

    cluster.refuse = refuse


def test_a_version_that_was_left_healthy_is_applied_whole_before_it_stays(
    folder: Path, cluster: MemoryCluster
) -> None:
    deploy(place(folder, cluster), rollout(OLD))
    died = place(folder, cluster)
    apply(died, rollout(NEW))
    del cluster.objects["Service/app"]  # as if it had died before the last of its objects
    assert place(folder, cluster).recover(rollout(SICK)) == {"app": NEW}
    assert "Service/app" in cluster.objects


def test_a_version_that_cannot_be_completed_is_replaced_by_what_ran_before(
    folder: Path, cluster: MemoryCluster
) -> None:
    deploy(place(folder, cluster), rollout(OLD))
    died = place(folder, cluster)
    apply(died, rollout(NEW))
    refused = iter([True])

    def refuse(call: str) -> None:
        if call == "apply Service/app" and next(refused, False):
            raise ClusterError("the API server refuses the service")

    cluster.refuse = refuse
    target = place(folder, cluster)
    assert target.recover(rollout(SICK)) == {"app": OLD}
    assert digests(target) == [OLD]


def test_a_deployment_that_continues_one_that_died_replaces_what_that_one_replaced(
    folder: Path, cluster: MemoryCluster
) -> None:
    deploy(place(folder, cluster), rollout(OLD))
    apply(place(folder, cluster), rollout(NEW))
    assert place(folder, cluster).recover(rollout(NEW)) == {"app": OLD}


def test_what_is_stopped_while_its_state_is_written_is_restored(folder: Path, cluster: MemoryCluster) -> None:
    deploy(place(folder, cluster), rollout(OLD))
    target = place(folder, cluster)
    target.recover(rollout(NEW))
    target.prepare(rollout(NEW))
    target.rehearse(rollout(NEW))
    write = cluster.apply

    def arrive_and_stop(*words: object, **flags: object) -> None:
        write(*words, **flags)  # type: ignore[arg-type]
        cluster.__dict__.pop("apply")
        raise KeyboardInterrupt

    cluster.__dict__["apply"] = arrive_and_stop
    with pytest.raises(KeyboardInterrupt):
        target.apply(rollout(NEW))
    (restored,) = target.restore(rollout(NEW)).answering
    assert restored.digest == OLD
    (kept,) = [each for each in cluster.objects.values() if each["kind"] == "ConfigMap"]
    assert "next" not in kept["data"]


def test_every_error_of_a_restoration_is_reported_and_not_raised(
    folder: Path, cluster: MemoryCluster
) -> None:
    deploy(place(folder, cluster), rollout(OLD))
    target = place(folder, cluster)
    with pytest.raises(Unhealthy):
        apply(target, rollout(SICK))
    fail_at(cluster, "apply", ToolError("kubectl is missing"))
    assert target.restore(rollout(SICK)).silent == "the previous version: kubectl is missing"


def test_the_inputs_are_read_once(folder: Path, cluster: MemoryCluster) -> None:
    target = place(folder, cluster)
    planned = target.inputs()
    (folder / "deploy.yaml").write_text("{}\n")
    assert target.inputs() == planned


@pytest.mark.parametrize(
    "labels", [{}, {"dev.autoclave.device": "glucose", "dev.autoclave.environment": "ward"}]
)
def test_objects_of_somebody_else_are_objections(
    folder: Path, cluster: MemoryCluster, labels: dict[str, str]
) -> None:
    deploy(place(folder, cluster), rollout(OLD))
    cluster.objects["Service/app"]["metadata"]["labels"] = labels
    cluster.objects["ConfigMap/autoclave.pump.ward"]["metadata"]["labels"] = labels
    target = place(folder, cluster)
    target.recover(rollout(NEW))
    kept = [each for each in target.prepare(rollout(NEW)).objections if "exists already" in each]
    (live,) = target.rehearse(rollout(NEW)).objections
    assert [each.partition(" ")[0] for each in kept] == ["ConfigMap/autoclave.pump.ward"]
    assert live.startswith("Service/app exists already and belongs to somebody else")


def test_a_config_map_of_somebody_else_is_not_written_even_when_it_comes_late(
    folder: Path, cluster: MemoryCluster
) -> None:
    deploy(place(folder, cluster), rollout(OLD))
    target = place(folder, cluster)
    target.recover(rollout(NEW))
    target.prepare(rollout(NEW))
    target.rehearse(rollout(NEW))
    theirs = cluster.objects["ConfigMap/autoclave.pump.ward"]
    theirs["metadata"]["labels"] = {}
    with pytest.raises(Unhealthy, match="is somebody else's"):
        target.apply(rollout(NEW))
    assert target.restore(rollout(NEW)) == base.Restoration(())
    assert cluster.objects["ConfigMap/autoclave.pump.ward"] == theirs
    assert digests(target) == [OLD]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ClusterError("the API server refuses")])
@pytest.mark.parametrize("number", range(1, 8))
@pytest.mark.parametrize("is_killed", [False, True], ids=["restored", "killed"])
def test_wherever_it_is_stopped_one_whole_version_runs(
    folder: Path, cluster: MemoryCluster, number: int, error: BaseException, is_killed: bool
) -> None:
    deploy(place(folder, cluster), rollout(OLD))
    target, count = place(folder, cluster), iter(range(1, 99))

    def refuse(call: str) -> None:
        if next(count) == number:
            raise error

    cluster.refuse = refuse
    done = False
    try:
        deploy(target, rollout(NEW))
        done = True
    except (KeyboardInterrupt, ClusterError, Unhealthy):
        pass
    cluster.refuse = lambda call: None
    if is_killed:
        target = place(folder, cluster)
        target.recover(rollout(SICK))
    elif not done:
        target.restore(rollout(NEW))
    (running,) = digests(target)
    assert running == NEW if done else running in {OLD, NEW}
    (kept,) = [each for each in cluster.objects.values() if each["kind"] == "ConfigMap"]
    assert set(kept["data"]) == {"current"}
    deploy(place(folder, cluster), rollout(NEW))
    assert digests(target) == [NEW]


def test_what_cannot_be_judged_is_an_objection_and_what_is_judged_a_finding(
    folder: Path, cluster: MemoryCluster
) -> None:
    more = (
        "---\napiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\n"
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: LoadBalancer}\n"
    )
    (folder / "deploy.yaml").write_text(MANIFESTS + more)
    prepared = place(folder, cluster).prepare(rollout(NEW))
    assert prepared.objections[0].startswith(
        "manifests/ward.yaml: Workflow.argoproj.io/w is of a kind that is not known"
    )
    assert "AK-EXPOSED-SERVICE" in {each.id for each in prepared.findings}


def test_a_device_that_only_has_a_schedule_is_deployed_and_found(
    folder: Path, cluster: MemoryCluster
) -> None:
    text = (
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: app}\nspec: {jobTemplate: {spec: {template: "
        "{spec: {containers: [{name: app, image: pump/app}]}}}}}\n"
    )
    (folder / "deploy.yaml").write_text(text)
    deploy(place(folder, cluster), rollout(OLD))
    target = place(folder, cluster)
    (running,) = target.running()
    assert (running.digest, running.healthy) == (OLD, True)
    assert target.is_running(rollout(OLD))
    deploy(target, rollout(NEW))
    assert digests(target) == [NEW]


@pytest.mark.parametrize(
    ("path", "count"), [("/srv/pump", 1), ("/srv/pump/app.py", 1), ("/srv/pump/data", 0)]
)
def test_a_volume_over_what_the_image_runs_is_found(
    folder: Path, cluster: MemoryCluster, path: str, count: int
) -> None:
    mount = f"image: pump/app, volumeMounts: [{{name: x, mountPath: {path}}}]"
    (folder / "deploy.yaml").write_text(MANIFESTS.replace("image: pump/app", mount))
    found = place(folder, cluster).prepare(rollout(NEW)).findings
    assert [each.id for each in found].count("AK-PROGRAM-MOUNT") == count


def test_a_workload_that_a_version_no_longer_has_does_not_hold_it_up(
    folder: Path, cluster: MemoryCluster
) -> None:
    second = "---\n" + MANIFESTS.partition("---")[0].replace("name: app}\n", "name: second}\n", 1)
    (folder / "deploy.yaml").write_text(MANIFESTS + second)
    deploy(place(folder, cluster), rollout(OLD))
    (folder / "deploy.yaml").write_text(MANIFESTS)
    deploy(place(folder, cluster), rollout(NEW))
    assert digests(place(folder, cluster)) == [NEW]
    assert "Pod/second" not in cluster.objects
