"""A container spec as the SDK's arguments, and as the `docker create` line that a person can paste."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autoclave.engines.base import ContainerSpec

_NANO = 1_000_000_000


def create_arguments(spec: ContainerSpec, host_config: Callable[..., Any]) -> dict[str, Any]:
    """Return the arguments of the SDK's create_container."""
    limits: dict[str, Any] = {
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "init": True,
        "tmpfs": dict.fromkeys(spec.tmpfs, _mount_options(spec)),
        "network_mode": spec.network,
        "dns": list(spec.dns) or None,
        "binds": [f"{volume}:{path}" for volume, path in spec.volumes.items()],
    }
    if spec.memory:
        limits |= {"mem_limit": spec.memory, "memswap_limit": spec.memory}
    if spec.cpus:
        limits["nano_cpus"] = int(spec.cpus * _NANO)
    if spec.pids:
        limits["pids_limit"] = spec.pids
    if spec.restart:
        limits["restart_policy"] = {"Name": "unless-stopped"}
    published = _published(spec)
    ports = None
    if published:
        limits["port_bindings"] = {
            each: [("127.0.0.1", outside or None)] for each, outside in published.items()
        }
        ports = [_split(each) for each in published]
    arguments: dict[str, Any] = {
        "image": spec.image,
        "command": [*spec.command[1:], *spec.arguments] or None,
        "name": spec.name or None,
        "user": spec.user or None,
        "environment": dict(spec.environment),
        "labels": dict(spec.labels),
        "volumes": list(spec.scratch),
        "ports": ports,
        "tty": spec.interactive,
        "stdin_open": spec.interactive,
        "entrypoint": [spec.command[0]] if spec.command else None,
        "host_config": host_config(**limits),
    }
    if spec.aliases:
        endpoint = {"Aliases": list(spec.aliases)}
        arguments["networking_config"] = {"EndpointsConfig": {spec.network: endpoint}}
    return arguments


def as_command(spec: ContainerSpec) -> list[str]:
    """Return the same container as a command line."""
    argv = ["docker", "create", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    argv += ["--init", "--network", spec.network]
    for path in spec.tmpfs:
        argv += ["--tmpfs", f"{path}:{_mount_options(spec)}"]
    options: list[tuple[str, object]] = [
        ("--name", spec.name),
        ("--user", spec.user),
        ("--memory", spec.memory),
        ("--memory-swap", spec.memory),
        ("--cpus", spec.cpus),
        ("--pids-limit", spec.pids),
        ("--restart", "unless-stopped" if spec.restart else ""),
    ]
    for option, value in options:
        if value:
            argv += [option, str(value)]
    for server in spec.dns:
        argv += ["--dns", server]
    for alias in spec.aliases:
        argv += ["--network-alias", alias]
    for name, value in sorted(spec.environment.items()):
        argv += ["--env", f"{name}={value}"]
    for volume, path in sorted(spec.volumes.items()):
        argv += ["--volume", f"{volume}:{path}"]
    for path in spec.scratch:
        argv += ["--volume", path]
    for inside, outside in _published(spec).items():
        argv += ["--publish", f"127.0.0.1:{outside or ''}:{inside.removesuffix('/tcp')}"]
    if spec.interactive:
        argv += ["--tty", "--interactive"]
    if spec.command:
        argv += ["--entrypoint", spec.command[0]]
    return [*argv, spec.image, *spec.command[1:], *spec.arguments]


def _published(spec: ContainerSpec) -> dict[str, int]:
    """Return the ports of the host by those of the container, `8080/tcp`."""
    first = {f"{spec.publish[0]}/tcp": spec.publish[1]} if spec.publish else {}
    return first | dict(spec.further_ports)


def _split(port: str) -> tuple[int, str]:
    number, _, protocol = port.partition("/")
    return int(number), protocol


def _mount_options(spec: ContainerSpec) -> str:
    """Return the options of /tmp. The engine adds noexec when neither is named."""
    return f"rw,{'exec' if spec.executable_tmp else 'noexec'},nosuid,nodev,mode=1777"
