"""What runs only at times, what an autoscaler sets, and a change of configuration alone."""

from __future__ import annotations

import pytest

from cluster.clinics import DEPLOYMENT, GOOD, NAME, NEXT, Clinic

pytestmark = pytest.mark.xdist_group("cluster-released")

POD = """\
{
  automountServiceAccountToken: false, restartPolicy: Never,
  securityContext: {runAsNonRoot: true, runAsUser: 10001, seccompProfile: {type: RuntimeDefault}},
  containers: [{
    name: app, image: registry.example/DEVICE/app:1.0.0, args: [python, -c, pass],
    securityContext:
      {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}},
    resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {memory: 64Mi}}
  }]
}""".replace("DEVICE", NAME)
JOBS = f"""\
apiVersion: batch/v1
kind: CronJob
metadata: {{name: nightly}}
spec: {{schedule: "0 0 31 2 *", jobTemplate: {{spec: {{template: {{spec: {POD}}}}}}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {{name: check}}
spec: {{backoffLimit: 0, template: {{spec: {POD}}}}}
"""
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {limit: "90"}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: app}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  minReplicas: 1
  maxReplicas: 5
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
---
"""


def test_a_device_that_runs_at_times_is_deployed_upgraded_and_found(clinic: Clinic) -> None:
    clinic.write("app.yaml", JOBS)
    for version in (GOOD, NEXT):
        done = clinic.deploy(version)
        assert done.code == 0, done.err
        status = clinic.autoclave("status", "demo")
        where = "(no pod now: CronJob/nightly, Job/check-"
        assert f"app {clinic.digests[version]} healthy, verifies {where}" in status.out
        (job,) = clinic.get("jobs")
        assert job["spec"]["template"]["spec"]["containers"][0]["image"].endswith(clinic.digests[version])
    assert "skipped" in clinic.deploy(NEXT).err


def test_configuration_restarts_pods_and_an_autoscaler_keeps_their_number(clinic: Clinic) -> None:
    mounted = "          volumeMounts: [{name: settings, mountPath: /etc/settings}]\n"
    volumes = "      volumes: [{name: settings, configMap: {name: settings, defaultMode: 0440}}]\n"
    clinic.write("app.yaml", SETTINGS + DEPLOYMENT + mounted + volumes)
    first = clinic.deploy(GOOD)
    assert first.code == 0, first.err
    clinic.cluster.kubectl("scale", "deployment/app", "--replicas=4", "-n", clinic.namespace)
    before = {each["metadata"]["name"] for each in clinic.get("pods")}
    clinic.write("app.yaml", (SETTINGS + DEPLOYMENT + mounted + volumes).replace('"90"', '"91"'))
    changed = clinic.deploy(GOOD)
    assert changed.code == 0, changed.err
    assert clinic.digests_in_pods() == [clinic.digests[GOOD]] * 4
    after = [each for each in clinic.get("pods") if "deletionTimestamp" not in each["metadata"]]
    assert not before & {each["metadata"]["name"] for each in after}
    assert after[0]["spec"]["volumes"][0]["configMap"]["defaultMode"] == 0o440
