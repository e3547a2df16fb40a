"""The cluster itself: if these tests fail, the others here prove nothing."""

from __future__ import annotations

import json
import subprocess
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from builders.devices import program
from cluster.cluster import Cluster
from worker_results import report

pytestmark = pytest.mark.xdist_group("cluster")

DOCKERFILE = """
FROM python:3.11-slim-bookworm
USER 10001:10001
CMD ["python3", "-m", "http.server", "8080", "--directory", "/usr/share"]
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 1
      securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}
      containers:
        - name: web
          image: {image}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {{drop: [ALL]}}
          resources: {{requests: {{cpu: 10m, memory: 32Mi}}, limits: {{cpu: 500m, memory: 64Mi}}}}
          readinessProbe: {{httpGet: {{path: /, port: 8080}}, periodSeconds: 1}}
          volumeMounts: [{{name: data, mountPath: /data}}]
      volumes: [{{name: data, persistentVolumeClaim: {{claimName: data}}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080}}]}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data}}
spec: {{accessModes: [ReadWriteOnce], volumeName: {volume}, resources: {{requests: {{storage: 16Mi}}}}}}
"""
PRIVILEGED = """
apiVersion: v1
kind: Pod
metadata: {name: root}
spec:
  containers: [{name: root, image: localhost/none, securityContext: {privileged: true}}]
"""


@pytest.fixture(scope="package")
def image(registry: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small web server in the registry, by digest."""
    name = f"{registry}/cluster/web"
    folder = tmp_path_factory.mktemp("image")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    identity = _output("docker", "build", "--quiet", str(folder)).strip()
    _output("docker", "tag", identity, f"{name}:1")
    try:
        _output("docker", "push", "--quiet", f"{name}:1")
        digests = json.loads(
            _output("docker", "image", "inspect", "--format={{json .RepoDigests}}", f"{name}:1")
        )
        return next(str(each) for each in digests if each.startswith(name))
    finally:
        _output("docker", "image", "rm", f"{name}:1")


@pytest.mark.usefixtures("cluster")
def test_the_node_is_ready(cluster: Cluster) -> None:
    nodes = json.loads(cluster.kubectl("get", "nodes", "-o=json"))["items"]
    assert [each["metadata"]["name"] for each in nodes] == ["node1"]
    conditions = {each["type"]: each["status"] for each in nodes[0]["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    assert conditions["MemoryPressure"] == conditions["DiskPressure"] == "False"


def test_a_hardened_deployment_runs_from_the_loopback_registry(
    cluster: Cluster, namespace: str, image: str
) -> None:
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    folder = cluster.volume(f"{namespace}-data")
    began = time.monotonic()
    text = DEPLOYMENT.format(image=image, volume=f"{namespace}-data")
    cluster.kubectl("apply", "-n", namespace, "-f-", stdin=text)
    cluster.kubectl("rollout", "status", "deployment/web", "-n", namespace, "--timeout=120s", timeout=130)
    report(
        f"cluster: a Deployment of 2 replicas ready in {time.monotonic() - began:.1f} s, first pull included"
    )

    pods = _pods(cluster, namespace)
    digest = image.partition("@")[2]
    assert [each["status"]["containerStatuses"][0]["imageID"].partition("@")[2] for each in pods] == [
        digest
    ] * 2

    first = pods[0]["metadata"]["name"]
    inside = ("exec", "-n", namespace, first, "--", "python3", "-c")
    assert cluster.kubectl(*inside, "import os; print(os.getuid())").strip() == "10001"
    refused = cluster.try_kubectl(*inside, "open('/etc/new', 'w')")
    assert "Read-only file system" in refused.stderr

    cluster.kubectl(*inside, "open('/data/kept', 'w').write('kept')")
    assert (folder / "kept").read_text() == "kept"

    address = cluster.kubectl("get", "service", "web", "-n", namespace, "-o=jsonpath={.spec.clusterIP}")
    asks = f"import urllib.request; print(urllib.request.urlopen('http://{address}/', timeout=20).status)"
    cluster.wait("the service", 20, lambda: cluster.try_kubectl(*inside, asks).stdout.strip() == "200")
    assert "GET / HTTP" in cluster.kubectl("logs", "-n", namespace, first)


def test_a_restricted_namespace_refuses_a_privileged_pod(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    refused = cluster.try_kubectl("apply", "-n", namespace, "-f-", stdin=PRIVILEGED)
    assert refused.returncode != 0
    assert 'violates PodSecurity "restricted' in refused.stderr
    assert "privileged" in refused.stderr


def test_an_admission_policy_is_enforced(cluster: Cluster, namespace: str) -> None:
    policy = textwrap.dedent(
        f"""
        apiVersion: admissionregistration.k8s.io/v1
        kind: ValidatingAdmissionPolicy
        metadata: {{name: {namespace}}}
        spec:
          matchConstraints:
            resourceRules:
              - {{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}}
          validations: [{{expression: "!('secret' in object.data)", message: no secrets here}}]
        ---
        apiVersion: admissionregistration.k8s.io/v1
        kind: ValidatingAdmissionPolicyBinding
        metadata: {{name: {namespace}}}
        spec:
          policyName: {namespace}
          validationActions: [Deny]
          matchResources: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}}}
        """
    )
    cluster.kubectl("apply", "-f-", stdin=policy)
    try:
        for number in range(50):  # the API server takes a moment to know it
            made = cluster.try_kubectl(
                "create", "configmap", f"c{number}", "-n", namespace, "--from-literal=secret=x"
            )
            if made.returncode != 0:
                break
            time.sleep(0.2)
        assert "no secrets here" in made.stderr
        cluster.kubectl("create", "configmap", "good", "-n", namespace, "--from-literal=public=x")
    finally:
        cluster.kubectl("delete", "-f-", stdin=policy)


def test_the_api_server_can_be_killed_and_come_back(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "configmap", "before", "-n", namespace)
    cluster.stop_api_server()
    try:
        assert "refused" in cluster.try_kubectl("get", "nodes", "--request-timeout=5s").stderr
    finally:
        began = time.monotonic()
        cluster.start_api_server()
        report(f"cluster: the API server was back {time.monotonic() - began:.1f} s after its crash")
    cluster.kubectl("get", "configmap", "before", "-n", namespace)


def test_the_machine_keeps_its_own_settings(cluster: Cluster) -> None:
    """What kubelet and kube-proxy set machine-wide stays inside."""
    assert cluster.inside.run("cat", "/proc/sys/kernel/panic").strip() == "10"
    assert Path("/proc/sys/kernel/panic").read_text().strip() != "10"
    assert "KUBE-SERVICES" in cluster.inside.run("iptables", "-t", "nat", "-S")
    assert "KUBE-" not in _output("iptables", "-t", "nat", "-S")
    assert not Path("/sys/class/net/cni0").exists()


def _pods(cluster: Cluster, namespace: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(cluster.kubectl("get", "pods", "-n", namespace, "-o=json"))[
        "items"
    ]
    return found


def _output(*argv: str) -> str:
    done = subprocess.run([program(argv[0]), *argv[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
    return done.stdout
