"""Remove containers at the end of what needed them, and what crashed runs left in the engine."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from datetime import datetime

from autoclave.engines.base import DEPLOYED, OWNER_LABEL, ROLE_LABEL, RUN_LABEL, Engine, NamedImage
from autoclave.errors import EngineError
from autoclave.runtime.owner import is_gone


def remove(engine: Engine, container: str) -> None:
    """Remove a container, in a `finally`. An error that is being raised there is not hidden by the engine's.

    What is left then, a later run removes.
    """
    stopped = sys.exc_info()[1]
    try:
        engine.remove(container)
    except EngineError:
        if stopped is None:
            raise


def remove_leftovers(engine: Engine) -> list[str]:
    """Remove containers and networks whose run ended without removing them; return their names.

    What was deployed outlives the run that made it, whatever the labels of its image say.
    """
    left = [
        each
        for each in engine.containers({RUN_LABEL: ""})
        if is_gone(each.labels.get(OWNER_LABEL, "")) and each.labels.get(ROLE_LABEL) != DEPLOYED
    ]
    for container in left:
        engine.remove(container.id)
    networks = [
        each for each in engine.networks({RUN_LABEL: ""}) if is_gone(each.labels.get(OWNER_LABEL, ""))
    ]
    for network in networks:
        engine.remove_network(network.name)
    return [each.name for each in left] + [each.name for each in networks]


def find_unneeded(found: Sequence[NamedImage], used: Collection[str], before: datetime) -> list[NamedImage]:
    """Return what got its name before a time, and no container uses: it is loaded again when it is needed."""
    return [each for each in found if each.id not in used and each.named is not None and each.named < before]
