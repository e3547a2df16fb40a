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
        "tmpfs": dict.fromkeys(spec.tmpfs, "rw,nosuid,nodev,mode=1777"),
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
    ports = None
    if spec.publish:
        inside, outside = spec.publish
        limits["port_bindings"] = {f"{inside}/tcp": [("127.0.0.1", outside or None)]}
        ports = [(inside, "tcp")]
    arguments: dict[str, Any] = {
        "image": spec.image,
        "command": list(spec.command[1:]) or None,
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
        argv += ["--tmpfs", f"{path}:rw,nosuid,nodev,mode=1777"]
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
    if spec.publish:
        argv += ["--publish", f"127.0.0.1:{spec.publish[1] or ''}:{spec.publish[0]}"]
    if spec.interactive:
        argv += ["--tty", "--interactive"]
    if spec.command:
        return [*argv, "--entrypoint", spec.command[0], spec.image, *spec.command[1:]]
    return [*argv, spec.image]
