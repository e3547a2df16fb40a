"""What runs on the node, and with which settings."""

from __future__ import annotations

import json
from pathlib import Path

from cluster import pause_image

CLIENTS = {  # kubeconfig -> (user, group)
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "proxy": ("system:kube-proxy", ""),
    "kubelet": ("system:node:node1", "system:nodes"),
}
PODS, SERVICES = "10.244.0.0/24", "10.96.0.0/16"
ETCD = "http://127.0.0.1:2379"  # inside the node's own network
HIDDEN = ("/var/lib/cni", "/var/log/containers", "/run/containerd", "/etc/cni/net.d")
# kubelet sets these machine-wide: here it finds them set, in its own mounts, and the machine keeps its own.
SYSCTLS = {
    "/proc/sys/vm/overcommit_memory": "1",
    "/proc/sys/vm/panic_on_oom": "0",
    "/proc/sys/kernel/panic": "10",
    "/proc/sys/kernel/panic_on_oops": "1",
    "/proc/sys/kernel/keys/root_maxkeys": "1000000",
    "/proc/sys/kernel/keys/root_maxbytes": "25000000",
}


def etcd(folder: Path, programs: Path) -> list[str]:
    """Return the command line of etcd. It need not outlive a power cut, so it never waits for the disk."""
    return [
        f"{programs}/etcd",
        f"--data-dir={folder}/etcd",
        "--unsafe-no-fsync",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        "--log-level=warn",
    ]


def api_server(folder: Path, programs: Path, address: str) -> list[str]:
    """Return the command line of the API server.

    Pod Security and ValidatingAdmissionPolicy are on by default.
    """
    pki = folder / "pki"
    return [
        f"{programs}/kube-apiserver",
        f"--etcd-servers={ETCD}",
        f"--bind-address={address}",
        f"--advertise-address={address}",
        f"--service-cluster-ip-range={SERVICES}",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/api-server.crt",
        f"--tls-private-key-file={pki}/api-server.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki}/sa.key",
        f"--service-account-signing-key-file={pki}/sa.key",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--kubelet-client-certificate={pki}/kubelet-client.crt",
        f"--kubelet-client-key={pki}/kubelet-client.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",  # the node's name cannot be resolved
    ]


def controller_manager(folder: Path, programs: Path) -> list[str]:
    """Return the command line of the controllers."""
    pki = folder / "pki"
    return [
        f"{programs}/kube-controller-manager",
        *_as_client(folder, "controller-manager"),
        "--bind-address=127.0.0.1",
        f"--service-account-private-key-file={pki}/sa.key",
        f"--root-ca-file={pki}/ca.crt",
        "--use-service-account-credentials",
        "--leader-elect=false",
    ]


def scheduler(folder: Path, programs: Path) -> list[str]:
    """Return the command line of the scheduler."""
    return [
        f"{programs}/kube-scheduler",
        *_as_client(folder, "scheduler"),
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
    ]


def kubelet(folder: Path, programs: Path, address: str) -> list[str]:
    """Return the command line of the kubelet."""
    return [
        f"{programs}/kubelet",
        f"--config={folder}/kubelet.json",
        f"--kubeconfig={folder}/kubelet.kubeconfig",
        f"--root-dir={folder}/kubelet",
        "--hostname-override=node1",
        f"--node-ip={address}",
    ]


def proxy(folder: Path, programs: Path) -> list[str]:
    """Return the command line of the service proxy.

    It leaves the limits of connection tracking alone: they are the machine's.
    """
    return [
        f"{programs}/kube-proxy",
        f"--kubeconfig={folder}/proxy.kubeconfig",
        "--hostname-override=node1",
        "--proxy-mode=iptables",
        "--iptables-min-sync-period=100ms",
        f"--cluster-cidr={PODS}",
        "--conntrack-max-per-core=0",
        "--conntrack-min=0",
        "--conntrack-tcp-timeout-established=0s",
        "--conntrack-tcp-timeout-close-wait=0s",
        "--healthz-bind-address=127.0.0.1:10256",
        "--metrics-bind-address=127.0.0.1:10249",
    ]


def kubelet_settings(folder: Path, address: str, group: str) -> str:
    """Return the kubelet's settings."""
    pki = folder / "pki"
    return json.dumps(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": address,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{group}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{pki}/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": f"{pki}/kubelet.crt",
            "tlsPrivateKeyFile": f"{pki}/kubelet.key",
            "podLogsDir": f"{folder}/pod-logs",
            "volumePluginDir": f"{folder}/volume-plugins",
            "healthzBindAddress": "127.0.0.1",
            # The disk is the machine's: a full one is not this node's to clean up.
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "imagefs.available": "1%",
            },
            "imageGCHighThresholdPercent": 99,
            "imageGCLowThresholdPercent": 98,
        }
    )


def containerd_settings(folder: Path, plugins: Path) -> str:
    """Return containerd's settings.

    Out-of-memory scores are limited to what this machine lets a process set without CAP_SYS_RESOURCE.
    """
    return f"""version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause_image.NAME}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{folder}/cni"
"""


def network() -> str:
    """Return the pods' network: a bridge.

    The API server accepts NetworkPolicies, but nothing on this node enforces them.
    """
    addresses = {"subnet": PODS, "rangeStart": "10.244.0.10"}
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": [[addresses]], "routes": [{"dst": "0.0.0.0/0"}]},
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, ports]})


def kubeconfig(folder: Path, client: str, address: str) -> str:
    """Return a client's access to the API server."""
    pki = folder / "pki"
    cluster = {"server": f"https://{address}:6443", "certificate-authority": f"{pki}/ca.crt"}
    user = {"client-certificate": f"{pki}/{client}.crt", "client-key": f"{pki}/{client}.key"}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": client, "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": client}}],
            "current-context": "test",
        }
    )


def _as_client(folder: Path, client: str) -> list[str]:
    file = folder / f"{client}.kubeconfig"
    return [f"--{use}kubeconfig={file}" for use in ("", "authentication-", "authorization-")]
