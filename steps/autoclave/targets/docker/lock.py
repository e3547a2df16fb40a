"""The lock of an environment on an engine: a container that is never started, whose name only one can have.

So machines that share the engine exclude each other. A lock whose owner died on this machine is taken over.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from autoclave.engines import removal
from autoclave.engines.base import OWNER_LABEL, ContainerSpec, Engine
from autoclave.errors import Busy, DeployFailed, EngineError
from autoclave.runtime.owner import is_gone, owner
from autoclave.targets.docker.ownership import LOCK, Ownership, describe_foreign

_PAUSE = 0.1  # seconds between two attempts
_TRIES = 50  # to take a lock that is being removed: meanwhile its name is neither free nor found


@contextmanager
def hold(engine: Engine, own: Ownership, image: str, environment: str) -> Iterator[None]:
    """Hold the lock, a container of any image. Raises Busy while another deployment does.

    Raises DeployFailed when its name is somebody else's.
    """
    labels = {**own.labels(LOCK), OWNER_LABEL: owner()}
    spec = ContainerSpec(image=image, name=own.lock, command=("lock",), labels=labels)
    lock = _take(engine, spec, own, environment)
    try:
        yield
    finally:
        removal.remove(engine, lock)


def _take(engine: Engine, spec: ContainerSpec, own: Ownership, environment: str) -> str:
    for _ in range(_TRIES):
        try:
            return engine.create(spec)
        except EngineError as error:
            refused = error
            existing = engine.state(spec.name)
        foreign = (
            describe_foreign("container", spec.name, existing.labels, own.labels(LOCK)) if existing else ""
        )
        if foreign:
            raise DeployFailed(
                f"the lock of {environment} cannot be taken",
                why=foreign,
                next="remove or rename it, then deploy again",
            )
        if existing and is_gone(existing.labels.get(OWNER_LABEL, "")):
            engine.remove(existing.id)
        elif existing:
            raise Busy(
                f"another deployment to {environment} is running",
                why=f"its lock is held by {existing.labels.get(OWNER_LABEL, 'unknown')} (host:process)",
                next=f"wait for it; if that process no longer exists: {engine.command_line('rm', spec.name)}",
            )
        time.sleep(_PAUSE)
    raise refused
