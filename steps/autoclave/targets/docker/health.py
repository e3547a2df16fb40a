"""Whether a deployed container is healthy: by a command in it, a request to it, else by its HEALTHCHECK."""

from __future__ import annotations

import time
from functools import cached_property

import msgspec

from autoclave.console.base import Screen
from autoclave.engines.base import ContainerState, Engine
from autoclave.runtime.probe import TCP, check
from autoclave.targets.base import STEP, Unhealthy

# How a deployed container's health is checked, for the day it is restored.
PROBE_LABEL = "dev.autoclave.probe"
COMMAND_LABEL = "dev.autoclave.probe-command"
TIMEOUT_LABEL = "dev.autoclave.start-timeout"

_PAUSE = 0.1  # seconds between two checks
_PROBE = 2.0  # seconds until a probe must have answered
_COMMAND = 10.0  # seconds that a health command may take
_TAIL = 12  # lines of a container's output that explain why it is unhealthy


class Health:
    """Checks the containers of an engine; the output of those that fail goes to the screen."""

    def __init__(self, engine: Engine, screen: Screen) -> None:
        self._engine = engine
        self._screen = screen

    def wait(self, container: str, *, show: bool = True) -> ContainerState:
        """Wait until a container is healthy, as long as its label allows, and return its state.

        Raises Unhealthy; `show` prints the end of its output then.
        """
        state = self._engine.state(container)
        limit = float(state.labels.get(TIMEOUT_LABEL, "60")) if state else 60.0
        deadline = time.monotonic() + limit
        complaint = "the container is missing"
        while state := self._engine.state(container):
            complaint = self.complaint(state)
            if not complaint:
                return state
            if time.monotonic() > deadline or (not state.running and not state.restarting):
                break
            time.sleep(_PAUSE)
        for text in list(self._engine.logs(container))[-_TAIL:] if state and show else []:
            self._screen.line(STEP, text)
        raise Unhealthy(f"not healthy (given {limit:.0f} s): {complaint}")

    def complaint(self, state: ContainerState) -> str:
        """Return why a container is not healthy, or an empty string when it is."""
        if not state.running:
            killed = " (killed for memory)" if state.oom_killed else ""
            return f"it ended with exit code {state.exit_code}{killed}"
        if command := state.labels.get(COMMAND_LABEL, ""):
            return self._run(state.id, command)
        path = state.labels.get(PROBE_LABEL, "")
        if path and state.host_port and self._host:
            return check(self._host, state.host_port, path, _PROBE)
        if state.health:
            return "" if state.health == "healthy" else f"its HEALTHCHECK says {state.health}"
        return (
            "nothing shows its health: add health with a published port, or health-command, to "
            "[image.service], or a HEALTHCHECK to the image"
        )

    def _run(self, container: str, command: str) -> str:
        """Return why the health command of a container did not succeed, or an empty string when it did."""
        code = self._engine.execute(container, msgspec.json.decode(command, type=list[str]), _COMMAND)
        if code is None:
            return f"its health command cannot run, or takes more than {_COMMAND:.0f} s"
        return f"its health command ends with exit code {code}" if code else ""

    def address(self, state: ContainerState) -> str:
        """Return where a container's published port is reached from here, or an empty string."""
        scheme = "tcp" if state.labels.get(PROBE_LABEL) == TCP else "http"
        return f"{scheme}://{self._host}:{state.host_port}" if self._host and state.host_port else ""

    @cached_property
    def _host(self) -> str:
        return self._engine.info().probe_host
