"""What pods must be: as confined as the Pod Security Standards' "restricted", and bounded.

Sources: Kubernetes' Pod Security Standards, v1.34; NIST SP 800-190 4.4 (container risks), 4.3.3 (separation).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autoclave.gates.hardening.check import Check, Pod, for_containers, for_pods
from autoclave.model.facts import Severity


def _security(of: Mapping[str, Any]) -> Mapping[str, Any]:
    return of.get("securityContext") or {}


def _either(pod: Pod, container: Mapping[str, Any], key: str) -> Any:
    """Return a setting as it applies to a container: its own, else the pod's."""
    own = _security(container).get(key)
    return _security(pod.spec).get(key) if own is None else own


def _host_namespaces(pod: Pod) -> str:
    return ", ".join(key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.spec.get(key))


_VOLUMES = frozenset(
    {
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim",
        "projected", "secret",
    }
)  # fmt: skip
"""What restricted allows (`image` since 1.31's standard)."""


def _volumes(pod: Pod) -> str:
    odd = [
        f"{each.get('name', '?')}: {', '.join(sorted(set(each) - _VOLUMES - {'name'})) or 'of no kind'}"
        for each in pod.spec.get("volumes") or ()
        if set(each) - {"name"} - _VOLUMES or not set(each) - {"name"}
    ]
    return "; ".join(odd)


_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
    }
)  # fmt: skip


def _sysctls(pod: Pod) -> str:
    named = [str(each.get("name")) for each in _security(pod.spec).get("sysctls") or ()]
    return ", ".join(name for name in named if name not in _SYSCTLS)


def _token(pod: Pod) -> str:
    if pod.spec.get("automountServiceAccountToken") is not False:
        return "automountServiceAccountToken is not false"
    mounted = [
        str(volume.get("name"))
        for volume in pod.spec.get("volumes") or ()
        for source in (volume.get("projected") or {}).get("sources") or ()
        if "serviceAccountToken" in source
    ]
    return f"volume {', '.join(mounted)} is one" if mounted else ""


def _windows(pod: Pod, container: Mapping[str, Any] | None) -> str:
    """Return what is of Windows, where most of these demands have no meaning and host processes exist."""
    if container is None and (pod.spec.get("os") or {}).get("name") == "windows":
        return "os.name is windows"
    of = pod.spec if container is None else container
    return "windowsOptions is set" if _security(of).get("windowsOptions") else ""


def _privileged(pod: Pod, container: Mapping[str, Any]) -> str:
    return "privileged is true" if _security(container).get("privileged") else ""


def _escalation(pod: Pod, container: Mapping[str, Any]) -> str:
    allowed = _security(container).get("allowPrivilegeEscalation")
    return "" if allowed is False else "allowPrivilegeEscalation is not false"


def _capabilities(pod: Pod, container: Mapping[str, Any]) -> str:
    capabilities = _security(container).get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()):
        return "capabilities.drop does not hold ALL"
    added = set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"}
    return f"capabilities.add holds {', '.join(sorted(map(str, added)))}" if added else ""


def _non_root(pod: Pod, container: Mapping[str, Any] | None) -> str:
    if container is None:
        # The standard refuses these for the pod even where every container says otherwise.
        pods = _security(pod.spec)
        if pods.get("runAsUser") == 0:
            return "the pod's runAsUser is 0"
        return "the pod's runAsNonRoot is false" if pods.get("runAsNonRoot") is False else ""
    if _either(pod, container, "runAsNonRoot") is not True:
        return "runAsNonRoot is not true"
    return "runAsUser is 0" if _security(container).get("runAsUser") == 0 else ""


_FILTERED = frozenset({"RuntimeDefault", "Localhost"})


def _seccomp(pod: Pod, container: Mapping[str, Any] | None) -> str:
    if container is None:
        profile = _security(pod.spec).get("seccompProfile") or {}
        odd = profile and profile.get("type") not in _FILTERED
        return f"the pod's seccompProfile is {profile.get('type')}" if odd else ""
    profile = _either(pod, container, "seccompProfile") or {}
    if profile.get("type") in _FILTERED:
        return ""
    return f"seccompProfile is {profile.get('type') or 'not set'}"


_APP_ARMOR = frozenset({None, "RuntimeDefault", "Localhost"})
_APP_ARMOR_NOTE = "container.apparmor.security.beta.kubernetes.io/"


def _app_armor(pod: Pod, container: Mapping[str, Any] | None) -> str:
    of = pod.spec if container is None else container
    kind = (_security(of).get("appArmorProfile") or {}).get("type")
    if kind not in _APP_ARMOR:
        return f"appArmorProfile is {kind}"
    noted = str(pod.annotations.get(f"{_APP_ARMOR_NOTE}{(container or {}).get('name')}", "runtime/default"))
    fine = noted == "runtime/default" or noted.startswith("localhost/")
    return "" if fine else f"the pod's AppArmor annotation is {noted}"


def _proc_mount(pod: Pod, container: Mapping[str, Any]) -> str:
    mount = _security(container).get("procMount")
    return f"procMount is {mount}" if mount not in {None, "Default"} else ""


_SELINUX = frozenset({None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})


def _selinux(pod: Pod, container: Mapping[str, Any] | None) -> str:
    options = _security(pod.spec if container is None else container).get("seLinuxOptions") or {}
    odd = [key for key in ("user", "role") if options.get(key)]
    if options.get("type") not in _SELINUX:
        odd.append("type")
    return f"seLinuxOptions sets {', '.join(odd)}" if odd else ""


def _host_ports(pod: Pod, container: Mapping[str, Any]) -> str:
    ports = [str(each["hostPort"]) for each in container.get("ports") or () if each.get("hostPort")]
    return f"hostPort {', '.join(ports)}" if ports else ""


def _probe_hosts(pod: Pod, container: Mapping[str, Any]) -> str:
    handlers = [container.get(key) or {} for key in ("livenessProbe", "readinessProbe", "startupProbe")]
    handlers += [(container.get("lifecycle") or {}).get(key) or {} for key in ("postStart", "preStop")]
    named = [(each.get(kind) or {}).get("host") for each in handlers for kind in ("httpGet", "tcpSocket")]
    return f"a probe asks {', '.join(str(host) for host in named if host)}" if any(named) else ""


def _read_only(pod: Pod, container: Mapping[str, Any]) -> str:
    return (
        ""
        if _security(container).get("readOnlyRootFilesystem") is True
        else "readOnlyRootFilesystem is not true"
    )


def _resources(pod: Pod, container: Mapping[str, Any]) -> str:
    resources = container.get("resources") or {}
    required = (("requests", "cpu"), ("requests", "memory"), ("limits", "memory"))
    missing = [
        f"{part}.{what}"
        for part, what in required
        # A limit without a request is a request of the same size (Kubernetes' own default).
        if not (resources.get(part) or {}).get(what)
        and not (part == "requests" and (resources.get("limits") or {}).get(what))
    ]
    return f"no {', no '.join(missing)}" if missing else ""


def _probe(key: str) -> Callable[[Pod, Mapping[str, Any]], str]:
    def why(pod: Pod, container: Mapping[str, Any]) -> str:
        if pod.kind in {"Job", "CronJob"} or container.get(key):
            return ""
        return f"no {key}"

    return why


_BASELINE, _RESTRICTED, _OURS = "Pod Security: baseline", "Pod Security: restricted", "our own"
_pods, _each = for_pods, for_containers

CHECKS: tuple[Check, ...] = (
    Check(
        "AK-HOST-NAMESPACES",
        Severity.CRITICAL,
        "no host namespace is shared",
        _BASELINE,
        _pods(_host_namespaces),
    ),
    Check("AK-PRIVILEGED", Severity.CRITICAL, "no container is privileged", _BASELINE, _each(_privileged)),
    Check("AK-WINDOWS", Severity.CRITICAL, "it is a pod of Linux", _OURS, _windows),
    Check(
        "AK-VOLUME-KIND", Severity.CRITICAL, "no volume reaches into the host", _RESTRICTED, _pods(_volumes)
    ),
    Check(
        "AK-CAPABILITIES", Severity.HIGH, "all capabilities are dropped", _RESTRICTED, _each(_capabilities)
    ),
    Check(
        "AK-PRIVILEGE-ESCALATION", Severity.HIGH, "no process gains rights", _RESTRICTED, _each(_escalation)
    ),
    Check("AK-RUN-AS-NON-ROOT", Severity.HIGH, "nothing runs as root", _RESTRICTED, _non_root),
    Check("AK-SECCOMP", Severity.HIGH, "system calls are filtered", _RESTRICTED, _seccomp),
    Check("AK-APP-ARMOR", Severity.HIGH, "AppArmor is not switched off", _BASELINE, _app_armor),
    Check("AK-SELINUX", Severity.HIGH, "SELinux is not bent", _BASELINE, _selinux),
    Check("AK-PROC-MOUNT", Severity.HIGH, "/proc is masked", _BASELINE, _each(_proc_mount)),
    Check("AK-HOST-PORT", Severity.HIGH, "no port of the host is taken", _BASELINE, _each(_host_ports)),
    Check("AK-PROBE-HOST", Severity.HIGH, "probes ask the pod alone", _BASELINE, _each(_probe_hosts)),
    Check("AK-SYSCTL", Severity.HIGH, "only safe kernel settings are changed", _BASELINE, _pods(_sysctls)),
    Check(
        "AK-SERVICE-TOKEN",
        Severity.HIGH,
        "no pod holds a token of the cluster's API",
        "NIST SP 800-190 4.3.1",
        _pods(_token),
    ),
    Check(
        "AK-READ-ONLY-ROOT",
        Severity.MEDIUM,
        "the root file system is read-only",
        "NIST SP 800-190 4.4.4",
        _each(_read_only),
    ),
    Check(
        "AK-RESOURCES",
        Severity.MEDIUM,
        "memory and CPU are bounded",
        "NIST SP 800-190 4.4.3",
        _each(_resources),
    ),
    Check(
        "AK-READINESS", Severity.MEDIUM, "it says when it is ready", _OURS, _each(_probe("readinessProbe"))
    ),
    Check(
        "AK-LIVENESS", Severity.LOW, "it is restarted when it hangs", _OURS, _each(_probe("livenessProbe"))
    ),
)
"""All of them, most severe first."""

LONG_RUNNING = frozenset({"AK-READINESS", "AK-LIVENESS"})
"""Checks that mean nothing for what ends by itself."""
