"""Container engines."""

from __future__ import annotations

from autoclave.engines.base import Engine
from autoclave.runtime.shell import Shell


def connect(shell: Shell, client: str = "") -> Engine:
    """Connect to the engine that DOCKER_HOST or Docker's context names. Raises EngineError.

    `client` is the docker command for building; empty: the best one on PATH.
    """
    from autoclave.engines.docker import DockerEngine

    return DockerEngine(shell, client)
