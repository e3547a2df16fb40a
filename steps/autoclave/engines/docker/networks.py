"""What containers that work together need of Docker: a network of their own, and commands inside them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from docker.errors import APIError, NotFound

_PAUSE = 0.05  # seconds between two tries
_TRIES = 100  # to remove a network: a container that is being removed uses it for a moment

# Without an address of its own on the bridge, the host's services are out of reach too.
_NO_HOST = {"com.docker.network.bridge.inhibit_ipv4": "true"}


def create_closed_network(api: Any, name: str, labels: Mapping[str, str]) -> None:
    """Create a bridge from which neither other networks nor the host are reached."""
    api.create_network(
        name, driver="bridge", internal=True, check_duplicate=True, labels=dict(labels), options=_NO_HOST
    )


def remove_network(api: Any, name: str) -> None:
    """Remove a network; wait for containers that are being removed from it."""
    for tries in range(_TRIES):
        try:
            api.remove_network(name)
        except APIError as error:
            if error.status_code == 404:  # it does not exist
                return
            if error.status_code != 403 or tries == _TRIES - 1:  # not: it has active endpoints
                raise
            time.sleep(_PAUSE)
        else:
            return


def execute(api: Any, container: str, command: Sequence[str], seconds: float) -> int | None:
    """Run a command in a running container; None when it cannot run, or has not ended in time."""
    deadline = time.monotonic() + seconds
    try:
        # Detached: a command that hangs must not block us, and its output is not needed.
        started = api.exec_create(container, list(command), stdout=False, stderr=False)["Id"]
        api.exec_start(started, detach=True)
        while True:
            state = api.exec_inspect(started)
            if not state["Running"]:
                return None if state["ExitCode"] is None else int(state["ExitCode"])
            if time.monotonic() > deadline:
                return None
            time.sleep(_PAUSE)
    except APIError as error:
        # No such program or container, or not running; while it stops, the engine answers 500.
        if error.status_code in {400, 404, 409} or not _is_running(api, container):
            return None
        raise


def _is_running(api: Any, container: str) -> bool:
    try:
        return bool(api.inspect_container(container)["State"]["Running"])
    except NotFound:
        return False


def health_command(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the command of an image's HEALTHCHECK, empty without one."""
    match (config.get("Healthcheck") or {}).get("Test") or []:
        case ["CMD", *argv]:
            return tuple(argv)
        case ["CMD-SHELL", text]:
            return ("/bin/sh", "-c", text)
    return ()
