"""The lock of an environment on an engine: a container that is never started, whose name only one can have.

So machines that share the engine exclude each other. A lock whose owner died on this machine is taken over.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from autoclave.engines import removal
from autoclave.engines.base import OWNER_LABEL, ROLE_LABEL, ContainerSpec, Engine
from autoclave.errors import Busy, EngineError
from autoclave.runtime.owner import is_gone, owner

_PAUSE = 0.1  # seconds between two attempts
_TRIES = 50  # to take a lock that is being removed: meanwhile its name is neither free nor found


@contextmanager
def hold(engine: Engine, name: str, image: str, environment: str) -> Iterator[None]:
    """Hold the lock of that name, a container of any image. Raises Busy while another deployment does."""
    labels = {OWNER_LABEL: owner(), ROLE_LABEL: "lock"}
    lock = _take(engine, ContainerSpec(image=image, name=name, command=("lock",), labels=labels), environment)
    try:
        yield
    finally:
        removal.remove(engine, lock)


def _take(engine: Engine, spec: ContainerSpec, environment: str) -> str:
    for _ in range(_TRIES):
        try:
            return engine.create(spec)
        except EngineError as error:
            refused = error
            existing = engine.state(spec.name)
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
