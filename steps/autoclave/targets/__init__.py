"""Targets: where releases are deployed to, by name."""

from __future__ import annotations

from collections.abc import Callable

from autoclave.device.schema import Device, Environment
from autoclave.engines.base import Engine
from autoclave.errors import ConfigError
from autoclave.runtime.shell import Shell
from autoclave.runtime.toml import nearest
from autoclave.store.base import Store
from autoclave.targets.base import Target

KNOWN = ("docker", "kubernetes", "openshift", "registry")
_CLUSTERS = ("kubernetes", "openshift")


def create(
    environment: Environment,
    *,
    device: Device,
    engine: Callable[[], Engine],
    shell: Shell,
    store: Callable[[], Store],
    address: str,
) -> Target:
    """Return the target of an environment; the container engine is asked for only where it is the target.

    `address` is the store's, as the user named it.

    Raises ConfigError.
    """
    if environment.target == "docker":
        from autoclave.targets.engine import EngineTarget

        return EngineTarget(engine())
    if environment.target in _CLUSTERS:
        if environment.kubernetes is None:
            raise ConfigError(
                f"environment '{environment.name}' does not say what is applied to which namespace",
                next="add [environment.kubernetes] with namespace and manifests to autoclave.toml",
            )
        from autoclave.targets.kubernetes import KubernetesTarget

        return KubernetesTarget(environment.kubernetes, shell)
    if environment.target == "registry":
        from autoclave.targets.registry import RegistryTarget

        return RegistryTarget(device, address, store)
    raise ConfigError(f"there is no target '{environment.target}'", next=nearest(environment.target, KNOWN))
