"""Deployments that fail: nothing is applied, or what ran before runs again, proven by the pods' status."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from cluster.clinics import DEPLOYMENT, GOOD, NAME, NEXT, UNHEALTHY, Clinic
from cluster.cluster import Cluster
from worker_results import report

pytestmark = pytest.mark.xdist_group("cluster-released")

QUOTA = """\
apiVersion: v1
kind: ResourceQuota
metadata: {name: small}
spec: {hard: {pods: "3"}}
"""
CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: readings}
spec: {accessModes: [ReadWriteMany], storageClassName: "", resources: {requests: {storage: 16Mi}}}
"""


def test_an_unhealthy_upgrade_is_restored_and_proven(clinic: Clinic) -> None:
    assert clinic.deploy(GOOD).code == 0
    clinic.repository.edit("autoclave.toml", "timeout = 60", "timeout = 8")
    began = time.monotonic()
    failed = clinic.deploy(UNHEALTHY)
    took = time.monotonic() - began
    assert failed.code == 50, failed.err
    assert "probe fails: Readiness probe failed: HTTP probe failed with statuscode: 503" in failed.message
    assert f"restored {clinic.digests[GOOD]}, read back from 3 pods" in failed.err
    clinic.wait_until(
        "only the former pods run", lambda: clinic.digests_in_pods() == [clinic.digests[GOOD]] * 3
    )
    assert f"app {clinic.digests[GOOD]} healthy, verifies" in clinic.autoclave("status", "demo").out
    report(
        f"kubernetes: version before an unhealthy upgrade restored {took:.1f} s after it began (given 8 s); "
        f"3 pods run {clinic.digests[GOOD][:19]}…"
    )


def test_a_first_deployment_that_fails_leaves_nothing_running(clinic: Clinic) -> None:
    clinic.repository.edit("autoclave.toml", "timeout = 60", "timeout = 6")
    failed = clinic.deploy(UNHEALTHY)
    assert failed.code == 50, failed.err
    assert "nothing ran here before: what was new is deleted again" in failed.err
    clinic.wait_until("nothing runs", lambda: not clinic.get("pods"))
    assert clinic.get("deployments") == []


def test_a_pod_killed_during_the_rollout_does_not_stop_it(clinic: Clinic) -> None:
    assert clinic.deploy(GOOD).code == 0
    with clinic.start_deployment(NEXT) as process:
        clinic.wait_until("a pod of the new version is there", lambda: clinic.pods_of(NEXT))
        victim = clinic.pods_of(NEXT)[0]
        clinic.cluster.kubectl("delete", "pod", victim, "-n", clinic.namespace, "--now", "--wait=false")
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert clinic.digests_in_pods() == [clinic.digests[NEXT]] * 3
    report(f"kubernetes: pod {victim} killed during a rollout; 3 pods run {clinic.digests[NEXT][:19]}…")


def test_an_api_server_that_stops_in_the_middle_is_waited_for(clinic: Clinic, cluster: Cluster) -> None:
    assert clinic.deploy(GOOD).code == 0
    with clinic.start_deployment(NEXT) as process:
        clinic.wait_until("a pod of the new version is there", lambda: clinic.pods_of(NEXT))
        cluster.stop_api_server()
        began = time.monotonic()
        assert process.stderr
        err = until_said(process.stderr, "the API server does not answer")
        assert process.poll() is None
        cluster.start_api_server()
        away = time.monotonic() - began
        err += process.communicate(timeout=180)[1]
    assert process.returncode == 0, err
    assert "the API server does not answer, waiting up to" in err
    assert "the API server answers again" in err
    assert clinic.digests_in_pods() == [clinic.digests[NEXT]] * 3
    report(
        f"kubernetes: API server away for {away:.1f} s in the middle; 3 pods run {clinic.digests[NEXT][:19]}…"
    )


def until_said(lines: Iterable[str], what: str) -> str:
    """Read what a command says up to the first line that says this; return all of it."""
    said = ""
    for line in lines:
        said += line
        if what in line:
            break
    return said


def test_a_killed_deployment_is_restored_by_the_next_one(clinic: Clinic) -> None:
    assert clinic.deploy(GOOD).code == 0
    with clinic.start_deployment(UNHEALTHY) as process:
        clinic.wait_until("a pod of the new version is there", lambda: clinic.pods_of(UNHEALTHY))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    began = time.monotonic()
    again = clinic.deploy(GOOD, "--again")
    assert again.code == 0, again.err
    assert "an earlier deployment died while it was under way: restoring what ran before it" in again.err
    assert clinic.digests_in_pods() == [clinic.digests[GOOD]] * 3
    report(f"kubernetes: killed deployment recovered by the next one in {time.monotonic() - began:.1f} s")


def test_a_stall_for_quota_is_reported_and_restored(clinic: Clinic) -> None:
    assert clinic.deploy(GOOD).code == 0
    clinic.cluster.kubectl("apply", "-n", clinic.namespace, "-f-", stdin=QUOTA)
    failed = clinic.deploy(NEXT)
    assert failed.code == 50, failed.err
    assert "FailedCreate: " in failed.message
    assert "exceeded quota: small, requested: pods=1, used: pods=3, limited: pods=3" in failed.message
    assert clinic.digests_in_pods() == [clinic.digests[GOOD]] * 3
    report(f"kubernetes: a full quota is reported: {failed.message.splitlines()[2][:100]}…")


def test_an_image_that_is_not_the_devices_is_refused_and_nothing_applied(clinic: Clinic) -> None:
    sidecar = "        - {name: proxy, image: nginx:latest}\n"
    clinic.write("app.yaml", DEPLOYMENT + sidecar)
    refused = clinic.deploy(GOOD)
    assert refused.code == 25, refused.err
    assert "Deployment/app: container proxy runs 'nginx:latest', which no digest pins" in refused.message
    pinned = f"nginx@sha256:{'0' * 64}"
    clinic.write("app.yaml", DEPLOYMENT + sidecar.replace("nginx:latest", pinned))
    refused = clinic.deploy(GOOD)
    assert refused.code == 25, refused.err
    assert "which is not a verified release" in refused.message
    assert clinic.get("deployments") + clinic.get("networkpolicies") == []


def test_pods_that_are_not_confined_are_refused_and_nothing_applied(clinic: Clinic) -> None:
    clinic.write("app.yaml", DEPLOYMENT.replace("readOnlyRootFilesystem: true", "privileged: true"))
    refused = clinic.deploy(GOOD)
    assert refused.code == 25, refused.err
    assert "critical AK-PRIVILEGED in Deployment/app app" in refused.message
    assert clinic.get("deployments") == []


def test_a_kind_of_which_only_the_server_knows_that_it_is_in_no_namespace_is_refused(
    clinic: Clinic, tmp_path: Path
) -> None:
    policy = Path(clinic.repository.more["AUTOCLAVE_POLICY"]).read_text("utf-8")
    allowed = '[kubernetes.kinds."PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io"]\n'
    (tmp_path / "policy.toml").write_text(f"{policy}\n{allowed}", "utf-8")
    clinic.repository.more["AUTOCLAVE_POLICY"] = str(tmp_path / "policy.toml")
    clinic.write(
        "level.yaml",
        "apiVersion: flowcontrol.apiserver.k8s.io/v1\nkind: PriorityLevelConfiguration\n"
        "metadata: {name: mine}\nspec: {type: Limited, limited: {limitResponse: {type: Reject}}}\n",
    )
    refused = clinic.deploy(GOOD)
    assert refused.code == 25, refused.err
    assert "/mine belongs to no namespace" in refused.message
    levels = [each["metadata"]["name"] for each in clinic.get("prioritylevelconfigurations")]
    assert "mine" not in levels
    assert clinic.get("deployments") == []


def test_a_namespace_that_denies_nothing_is_refused(clinic: Clinic) -> None:
    clinic.repository.edit("autoclave.toml", '[[flow]]\nfrom = "outside"\nto = "app"\nports = [8080]\n', "")
    refused = clinic.deploy(GOOD)
    assert refused.code == 25, refused.err
    assert "has no NetworkPolicy that denies by default" in refused.message


def test_a_claim_keeps_its_data_and_is_never_shrunk(clinic: Clinic, cluster: Cluster) -> None:
    folder = cluster.volume(f"{clinic.namespace}-readings", "16Mi")
    mounted = DEPLOYMENT + (
        "          volumeMounts: [{name: readings, mountPath: /data}]\n"
        "      volumes: [{name: readings, persistentVolumeClaim: {claimName: readings}}]\n"
    )
    claim = CLAIM.replace("accessModes", f"volumeName: {clinic.namespace}-readings, accessModes")
    clinic.write("app.yaml", mounted)
    clinic.write("claim.yaml", claim)
    first = clinic.deploy(GOOD)
    assert first.code == 0, first.err
    pod = clinic.pods_of(GOOD)[0]
    script = "open('/data/reading', 'w').write('97')"
    cluster.kubectl("exec", "-n", clinic.namespace, pod, "--", "python", "-c", script)
    upgraded = clinic.deploy(NEXT)
    assert upgraded.code == 0, upgraded.err
    assert (folder / "reading").read_text() == "97"
    clinic.write("claim.yaml", claim.replace("16Mi", "8Mi"))
    shrunk = clinic.deploy(GOOD)
    assert shrunk.code == 25, shrunk.err
    assert "claim 'readings' would shrink from 16Mi to 8Mi" in shrunk.message
    clinic.write("claim.yaml", claim)
    clinic.write("app.yaml", DEPLOYMENT)
    unmounted = clinic.deploy(GOOD)
    assert unmounted.code == 25, unmounted.err
    assert "Deployment/app would no longer mount claim 'readings'" in unmounted.message
    assert clinic.digests_in_pods() == [clinic.digests[NEXT]] * 3
    report(f"kubernetes: claim kept through an upgrade, shrinking refused: {shrunk.message.splitlines()[1]}")


def test_fields_of_other_managers_are_not_overwritten(clinic: Clinic) -> None:
    assert clinic.deploy(GOOD).code == 0
    clinic.cluster.kubectl("scale", "deployment/app", "--replicas=2", "-n", clinic.namespace)
    refused = clinic.deploy(NEXT)
    assert refused.code == 37, refused.err
    assert ".spec.replicas" in refused.message
    assert "another manager owns fields that the manifests set" in refused.message


def test_two_deployments_at_once_do_not_meet(clinic: Clinic) -> None:
    assert clinic.deploy(GOOD).code == 0
    with clinic.start_deployment(NEXT) as process:
        clinic.wait_until("the lock is held", lambda: clinic.get("leases"))
        second = clinic.deploy(NEXT)
        assert second.code == 42, second.err
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert clinic.get("leases") == []


def test_objects_removed_from_the_manifests_are_deleted_and_reported(clinic: Clinic) -> None:
    assert clinic.deploy(GOOD).code == 0
    (clinic.repository.folder / "deploy" / "service.yaml").unlink()
    done = clinic.deploy(NEXT)
    assert done.code == 0, done.err
    assert "deleted, since the manifests no longer have it: Service/app" in done.err
    assert clinic.get("services") == []
    assert (
        json.dumps(clinic.get("networkpolicies")).count(f'"name": "autoclave.{NAME}.demo.default-deny"') >= 1
    )


def test_the_running_version_is_restored_even_when_its_record_in_the_cluster_is_lost(clinic: Clinic) -> None:
    assert clinic.deploy(GOOD).code == 0
    clinic.cluster.kubectl("delete", "configmap", f"autoclave.{NAME}.demo", "-n", clinic.namespace)
    clinic.repository.edit("autoclave.toml", "timeout = 60", "timeout = 8")
    failed = clinic.deploy(UNHEALTHY)
    assert failed.code == 50, failed.err
    assert f"restored {clinic.digests[GOOD]}" in failed.err
    clinic.wait_until(
        "only the former pods run", lambda: clinic.digests_in_pods() == [clinic.digests[GOOD]] * 3
    )


def test_a_stateful_set_that_waits_for_a_broken_pod_is_restored(clinic: Clinic) -> None:
    stateful = DEPLOYMENT.replace("kind: Deployment", "kind: StatefulSet").replace(
        "replicas: 3", "replicas: 2"
    )
    stateful = stateful.replace(
        "  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 3}}\n", "  serviceName: app\n"
    )
    clinic.write("app.yaml", stateful)
    first = clinic.deploy(GOOD)
    assert first.code == 0, first.err
    clinic.repository.edit("autoclave.toml", "timeout = 60", "timeout = 10")
    began = time.monotonic()
    failed = clinic.deploy(UNHEALTHY)
    assert failed.code == 50, failed.err
    clinic.wait_until(
        "only the former pods run", lambda: clinic.digests_in_pods() == [clinic.digests[GOOD]] * 2
    )
    report(f"kubernetes: StatefulSet restored after an unhealthy upgrade in {time.monotonic() - began:.1f} s")
