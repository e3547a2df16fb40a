"""A small device of three versions, released into a registry once, and its deployments in namespaces."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builders.devices import KNOWN_BAD, CommandResult, Repository, copy_device, own_name
from builders.flow import make_keys, start_command, wait_until
from cluster.cluster import Cluster

GOOD, NEXT, UNHEALTHY = "1.0.0", "1.1.0", "2.0.0"
"""The versions: from 2.0.0 on the device answers every probe with 503."""
NAME = own_name("t-clinic")
PLACE = """
[[environment]]
name = "demo"
target = "kubernetes"
[environment.kubernetes]
namespace = "{namespace}"
manifests = ["deploy"]
timeout = {timeout}

[[flow]]
from = "outside"
to = "app"
ports = [8080]
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app
spec:
  replicas: 3
  selector: {matchLabels: {app: t-clinic}}
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 3}}
  template:
    metadata:
      labels: {app: t-clinic}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 1
      securityContext: {runAsNonRoot: true, runAsUser: 10001, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: app
          image: registry.example/t-clinic/app:1.0.0  # replaced by the released digest
          ports: [{containerPort: 8080}]
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {cpu: 500m, memory: 64Mi}}
          readinessProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 1}
          livenessProbe: {tcpSocket: {port: 8080}, periodSeconds: 5}
""".replace("t-clinic/", f"{NAME}/")
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: app}
spec: {selector: {app: t-clinic}, ports: [{port: 80, targetPort: 8080}]}
"""


@dataclass
class ReleasedVersions:
    """The device with all of its versions released: digests by version."""

    repository: Repository
    store: str
    keys: list[str]
    digests: dict[str, str] = field(default_factory=dict)


@dataclass
class Clinic:
    """The device's environment in one namespace."""

    released: ReleasedVersions
    cluster: Cluster
    namespace: str
    repository: Repository
    signed: dict[tuple[Any, ...], str] = field(default_factory=dict)

    @property
    def digests(self) -> dict[str, str]:
        """The released digests by version."""
        return self.released.digests

    def autoclave(self, *words: str) -> CommandResult:
        """Run a command on the device and the cluster."""
        return self.repository.run(*words, *self.options(words[0]))

    def options(self, command: str) -> list[str]:
        """The store and the organisation's keys, as far as a command takes them."""
        keys = self.released.keys[:4] if command in {"deploy", "rollback"} else self.released.keys[:2]
        return ["--store", self.released.store, *keys]

    def sign(self, version: str) -> str:
        """Sign a version's image with what the folder says now, once; return the release's digest."""
        files = [self.repository.folder / "autoclave.toml", *(self.repository.folder / "deploy").iterdir()]
        now = (version, *sorted((each.name, each.read_bytes()) for each in files))
        if now not in self.signed:
            store = ("--store", self.released.store, *self.released.keys)
            done = self.repository.run("sign", "--digest", f"app={self.digests[version]}", *store)
            assert done.code == 0, done.err
            self.signed[now] = done.err.rpartition("release ")[2].split()[0]
        return self.signed[now]

    def deploy(self, version: str, *words: str) -> CommandResult:
        """Deploy a version, as the folder says now."""
        return self.autoclave("deploy", "demo", "--release", self.sign(version), *words)

    @contextmanager
    def start_deployment(self, version: str) -> Iterator[subprocess.Popen[str]]:
        """Start a deployment and leave it under way."""
        words = ["deploy", "demo", "--release", self.sign(version), *self.options("deploy")]
        with start_command(self.repository, *words) as process:
            yield process

    def get(self, what: str) -> list[dict[str, Any]]:
        """Return the objects of a kind in the namespace."""
        found: list[dict[str, Any]] = json.loads(
            self.cluster.kubectl("get", what, "-n", self.namespace, "-o=json")
        )["items"]
        return found

    def digests_in_pods(self) -> list[str]:
        """The digest of every pod that is not on its way out, from its status."""
        pods = [each for each in self.get("pods") if "deletionTimestamp" not in each["metadata"]]
        statuses = [each for pod in pods for each in pod["status"].get("containerStatuses", [])]
        return [each["imageID"].rpartition("@")[2] for each in statuses]

    def pods_of(self, version: str) -> list[str]:
        """The names of the pods that were made for a version."""
        return [
            each["metadata"]["name"]
            for each in self.get("pods")
            if self.digests[version] in each["spec"]["containers"][0]["image"]
        ]

    def wait_until(self, what: str, condition: Callable[[], object], *, seconds: float = 60) -> None:
        """Wait until something is so in the cluster."""
        wait_until(what, condition, seconds=seconds)

    def write(self, name: str, text: str) -> None:
        """Write a manifest."""
        (self.repository.folder / "deploy" / name).write_text(text, "utf-8")


def release_versions(
    registry: str, folder: Path, versions: Sequence[str] = (GOOD, NEXT, UNHEALTHY)
) -> ReleasedVersions:
    """Build, test, scan and sign every version of the device into the registry."""
    repository = copy_device(KNOWN_BAD / "unhealthy-version", folder, name="t-clinic")
    # The clinics sign the images of one build with manifests of their own: in class A, no commit is required.
    repository.edit("autoclave.toml", 'safety-class = "B"', 'safety-class = "A"')
    made = ReleasedVersions(repository, f"oci://{registry}/devices/{NAME}", make_keys(folder / "keys"))
    for before, version in zip(("1.0.0", *versions), versions, strict=False):
        repository.edit("autoclave.toml", before, version)
        repository.commit()
        done = repository.run("run", "--to", "sign", "--store", made.store, *made.keys)
        assert done.code == 0, done.err
        found = [word for word in done.out.split() if word.startswith("sha256:")]
        made.digests[version] = found[-1]
    return made


def make_clinic(
    made: ReleasedVersions, cluster: Cluster, namespace: str, folder: Path, *, timeout: int = 60
) -> Clinic:
    """Copy the device, and let it be deployed to a namespace."""
    shutil.copytree(made.repository.folder, folder / "device")
    repository = Repository(folder / "device", made.repository.home, more=cluster.environment)
    file = repository.folder / "autoclave.toml"
    file.write_text(file.read_text("utf-8") + PLACE.format(namespace=namespace, timeout=timeout), "utf-8")
    (repository.folder / "deploy").mkdir()
    there = Clinic(made, cluster, namespace, repository)
    there.write("app.yaml", DEPLOYMENT)
    there.write("service.yaml", SERVICE)
    repository.commit()
    return there
