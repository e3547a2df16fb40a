"""A real Kubernetes of one node for the tests: real control plane, real kubelet, real pods.

Everything runs in namespaces of its own (processes, mounts, network) and writes below one folder, so the
container engine of this machine and its network are left alone, several clusters can run side by side, and
nothing survives the test run, however that ends.

What a hospital's cluster has and this one has not: name resolution (a pod finds a service by its environment
variables, such as DATABASE_SERVICE_HOST), a provisioner of volumes, a network that enforces NetworkPolicies.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from builders.devices import program
from cluster import certificates, components, loopback, namespaces, pause_image
from cluster.namespaces import Namespaces

_PLUGINS = ("/usr/lib/cni", "/opt/cni/bin")


@dataclass
class Cluster:
    """A running cluster. Its kubeconfig is that of an administrator."""

    programs: Path
    inside: Namespaces
    start_seconds: float = 0
    reachable: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def folder(self) -> Path:
        """Settings, logs and data."""
        return self.inside.folder

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.folder / "admin.kubeconfig"

    @property
    def kubectl_path(self) -> str:
        """The kubectl of this very version."""
        return str(self.programs / "kubectl")

    @property
    def server(self) -> str:
        """The API server's URL, which answers from this machine alone."""
        return f"https://{self.inside.address}:6443"

    @property
    def environment(self) -> dict[str, str]:
        """Variables for a command that is to find this cluster, which an organisation's policy exempts."""
        return {
            "KUBECONFIG": str(self.kubeconfig),
            "AUTOCLAVE_KUBECTL": self.kubectl_path,
            "AUTOCLAVE_POLICY": str(self.folder / "policy.toml"),
        }

    def kubectl(self, *words: str, stdin: str = "", timeout: float = 120) -> str:
        """Run kubectl as administrator and return what it printed. Fails with kubectl's message."""
        done = self.try_kubectl(*words, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: exit code {done.returncode}\n{done.stderr}"
        return done.stdout

    def try_kubectl(
        self, *words: str, stdin: str = "", timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator and return how it ended."""
        argv = [self.kubectl_path, f"--kubeconfig={self.kubeconfig}", *words]
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)

    def reach(self, port: int) -> None:
        """Let the node reach 127.0.0.1:`port` of this machine under the same address, from now on."""
        self.reachable.enter_context(loopback.forward(self.inside.pid, port))

    def stop_api_server(self) -> None:
        """Kill the API server, as a crash would; pods go on running."""
        self.inside.ask("kill", "api-server")

    def start_api_server(self) -> None:
        """Start the API server and wait until it is ready."""
        self._start("api-server", components.api_server(self.folder, self.programs, self.inside.address))
        self.wait("the API server", 60, lambda: self._ready("get", "--raw", "/readyz"))

    def volume(self, name: str, size: str = "64Mi", *, owner: int = 10001) -> Path:
        """Make a volume that a claim can bind, in a folder that belongs to `owner`; return the folder.

        There is no provisioner here: a claim without a storage class finds it by size, or by `volumeName`.
        """
        folder = self.folder / "volumes" / name
        folder.mkdir(parents=True, mode=0o770)
        os.chown(folder, owner, owner)
        self.kubectl(
            "apply",
            "-f-",
            stdin=f"""apiVersion: v1
kind: PersistentVolume
metadata: {{name: {name}}}
spec:
  capacity: {{storage: {size}}}
  accessModes: [ReadWriteOnce, ReadWriteMany]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: ""
  hostPath: {{path: {folder}, type: Directory}}
""",
        )
        return folder

    def memory(self) -> dict[str, int]:
        """Return the MiB of memory of each program on the node, shared pages counted by share."""
        answer: dict[str, int] = self.inside.ask("memory")
        return answer

    def wait(self, what: str, seconds: float, holds: Callable[[], bool]) -> None:
        """Wait until something holds; fail with the ends of all logs."""
        end = time.monotonic() + seconds
        while not holds():
            ended = self.inside.ask("ended")
            if ended or time.monotonic() > end:
                why = f"{', '.join(ended)} ended" if ended else f"not within {seconds:g} s"
                raise AssertionError(f"{what} is not ready: {why}\n{self._logs()}")
            time.sleep(0.2)

    def _ready(self, *words: str) -> bool:
        return self.try_kubectl(*words).returncode == 0

    def _start(self, name: str, argv: list[str]) -> None:
        self.inside.ask("start", name, str(self.folder / "logs" / f"{name}.log"), *argv)

    def _logs(self) -> str:
        ends = []
        for log in sorted((self.folder / "logs").iterdir()):
            lines = log.read_text("utf-8", errors="replace").splitlines()[-5:]
            ends.append("\n".join([f"== {log}", *(line[:400] for line in lines)]))
        return "\n".join(ends)


@contextlib.contextmanager
def start() -> Iterator[Cluster]:
    """Start a cluster, wait until its node is ready, and take it away at the end."""
    programs = Path(program("Kubernetes", "AUTOCLAVE_KUBERNETES"))
    for name in ("containerd", "ctr", "runc", "iptables", "sysctl", "mount"):
        program(name)
    began = time.monotonic()
    with namespaces.create(components.HIDDEN, components.SYSCTLS) as inside:
        cluster = Cluster(programs, inside)
        with cluster.reachable:
            # Only with a route does the kernel apply the service rules, which redirect the packet.
            inside.run("ip", "route", "add", components.SERVICES, "dev", inside.interface)
            _write(cluster)
            _start(cluster)
            cluster.start_seconds = time.monotonic() - began
            yield cluster


def _write(cluster: Cluster) -> None:
    """Write keys, certificates and settings."""
    folder, address = cluster.folder, cluster.inside.address
    for name in ("logs", "cni", "etcd", "pod-logs", "volume-plugins"):
        (folder / name).mkdir(mode=0o700)
    (folder / "policy.toml").write_text(
        f'[production]\nexempt = ["local", "cluster {cluster.server} *"]\n', "utf-8"
    )
    authority = certificates.authority(folder / "pki")
    service = components.SERVICES.replace(
        "0.0/16", "0.1"
    )  # the first address is the API server's own service
    authority.issue("api-server", "kube-apiserver", addresses=(address, "127.0.0.1", service))
    authority.issue("kubelet-client", "api-server", group="system:masters")
    for client, (user, group) in components.CLIENTS.items():
        authority.issue(client, user, group=group, addresses=(address,) if client == "kubelet" else ())
        (folder / f"{client}.kubeconfig").write_text(components.kubeconfig(folder, client, address))
    plugins = next((Path(each) for each in _PLUGINS if (Path(each) / "bridge").exists()), None)
    assert plugins, (
        f"no network plugins in {' or '.join(_PLUGINS)}: ./check brings containernetworking-plugins"
    )
    (folder / "cni" / "10-pods.conflist").write_text(components.network())
    (folder / "containerd.toml").write_text(components.containerd_settings(folder, plugins))
    (folder / "kubelet.json").write_text(components.kubelet_settings(folder, address, cluster.inside.group))
    pause_image.write(cluster.programs / "pause", folder / "pause.tar")


def _start(cluster: Cluster) -> None:
    folder, programs, address = cluster.folder, cluster.programs, cluster.inside.address
    cluster._start("etcd", components.etcd(folder, programs))
    cluster._start("containerd", ["containerd", "--config", str(folder / "containerd.toml")])
    cluster.start_api_server()
    images = ["ctr", "--address", str(folder / "containerd.sock"), "--namespace", "k8s.io", "images"]
    cluster.wait("containerd", 30, lambda: cluster.inside.ask("run", *images, "ls")[0] == 0)
    cluster.inside.run(*images, "import", str(folder / "pause.tar"))
    cluster._start("controller-manager", components.controller_manager(folder, programs))
    cluster._start("scheduler", components.scheduler(folder, programs))
    cluster._start("kubelet", components.kubelet(folder, programs, address))
    cluster._start("proxy", components.proxy(folder, programs))
    cluster.wait(
        "the node",
        60,
        lambda: "True" in cluster.try_kubectl("get", "node", "node1", f"-o=jsonpath={_READY}").stdout,
    )
    cluster.wait(
        "the namespace", 30, lambda: cluster._ready("-n", "default", "get", "serviceaccount", "default")
    )


_READY = '{.status.conditions[?(@.type=="Ready")].status}'
