"""Targets: where releases are deployed to, by name."""

from __future__ import annotations

from autoclave.engines.base import Engine
from autoclave.errors import ConfigError
from autoclave.targets.base import Target

KNOWN = ("docker",)


def named(name: str, engine: Engine) -> Target:
    """Return the target of that name. Raises ConfigError."""
    if name == "docker":
        from autoclave.targets.docker import DockerTarget

        return DockerTarget(engine)
    raise ConfigError(f"there is no target '{name}'", next=f"targets are: {', '.join(KNOWN)}")
