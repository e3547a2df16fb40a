"""Run the released image as OpenShift does: as an undefined user, in group 0, without capabilities.

The user id is like the first one of a project's range (OpenShift, "Managing security context
constraints": `restricted-v2` runs pods under the namespace's own range, e.g. 1000660000/10000).
"""

from __future__ import annotations

import time
from collections import deque
from itertools import islice

from autoclave.context import Context
from autoclave.device.schema import Image, Service, UnitTest, parse_size
from autoclave.engines import removal
from autoclave.engines.base import ContainerSpec, ImageState
from autoclave.errors import EngineError
from autoclave.harness import lifecycle
from autoclave.harness.lifecycle import WaitResult
from autoclave.model.facts import ArbitraryUserRun
from autoclave.runtime.probe import check

USER = "1000660000:0"

STEP = "unit-test"

_SETTLED = 1.0  # seconds that an image without a service must run
_TAIL = 12  # lines of its output that are shown
_MOST = 100_000  # lines of its output that are read
_NOT_EXECUTABLE = 126  # the shell's exit code for a file that may not be executed
_DENIED = (
    "permission denied",
    "operation not permitted",
    "permissionerror",
    "eacces",
    "read-only file system",
)


def run(image: Image, tests: UnitTest, released: ImageState, network: str, ctx: Context) -> ArbitraryUserRun:
    """Run the image as the arbitrary user and return the result; the container is always removed."""
    service = image.service
    by_command = bool(released.health or (service and service.health_command))
    by_port = not by_command and service is not None and service.health != ""
    spec = _spec(image, tests, released, "" if by_port else network or "none", ctx)
    container = ctx.engine.create(spec)
    try:
        if by_port and network:
            ctx.engine.connect(network, container)
        waited = _start(container, image.service, released, ctx)
        if waited.failure:
            for line in deque(islice(ctx.engine.logs(container), _MOST), maxlen=_TAIL):
                ctx.screen.line(STEP, line)
    finally:
        removal.remove(ctx.engine, container)
    outcome = waited.failure or "works"
    ctx.screen.note(STEP, f"under the arbitrary user {USER} the image {outcome} ({waited.seconds:.1f} s)")
    return ArbitraryUserRun(user=USER, image_id=released.id, seconds=waited.seconds, failure=waited.failure)


def _start(container: str, service: Service | None, released: ImageState, ctx: Context) -> WaitResult:
    began = time.monotonic()
    try:
        lifecycle.start(container, ctx)
    except EngineError as error:
        return WaitResult(round(time.monotonic() - began, 1), f"cannot be started: {error.why or error.what}")
    if service is None:
        return _wait_briefly(container, ctx)
    if command := tuple(service.health_command) or released.health:
        probe = lifecycle.probe_by_command(container, command, ctx.engine)
    elif service.health:
        host = ctx.engine.info().probe_host
        state = ctx.engine.state(container)
        port = state.host_port if state else None
        if not host:
            return WaitResult(0.0, "cannot be probed: the engine is remote, and the image has no HEALTHCHECK")
        probe = lambda seconds: port is not None and not check(host, port, service.health, seconds)  # noqa: E731
    else:
        return WaitResult(0.0, "has no health check: give it a HEALTHCHECK, or health-command")
    return lifecycle.wait_until_healthy(container, probe, timeout=service.start_timeout, ctx=ctx)


def _wait_briefly(container: str, ctx: Context) -> WaitResult:
    """Give an image without a service one second: it may end, but not because a permission is missing."""
    began = time.monotonic()
    state = ctx.engine.state(container)
    while state and state.running and time.monotonic() - began < _SETTLED:
        ctx.cancelled.wait(0.1)
        state = ctx.engine.state(container)
    failed = state is None or (not state.running and state.exit_code != 0)
    if state and failed and state.exit_code != _NOT_EXECUTABLE:
        output = islice(ctx.engine.logs(container), _MOST)
        # Without such a word it fails as its own user as well.
        failed = any(word in line.lower() for line in output for word in _DENIED)
    return WaitResult(round(time.monotonic() - began, 1), lifecycle.describe_end(state) if failed else "")


def _spec(image: Image, tests: UnitTest, released: ImageState, network: str, ctx: Context) -> ContainerSpec:
    """Return the container; `network` is empty for the engine's own one, at which its port is published."""
    service = image.service
    deployed = service.environment if service else {}
    return ContainerSpec(
        image=released.id,
        user=USER,
        # The variables of the tests too: by them the image finds the services.
        environment={**deployed, **tests.environment},
        network=network or ctx.engine.outbound_network,
        dns=() if network in {"", "none"} else lifecycle.NO_DNS,
        memory=parse_size(service.memory if service else tests.memory),
        cpus=service.cpus if service else tests.cpus,
        pids=service.pids if service else tests.pids,
        scratch=tuple(service.volumes.values()) if service else (),
        publish=(service.port, 0) if not network and service and service.port else None,
        command=tuple(service.command) if service else (),
        arguments=tuple(service.arguments) if service else (),
        executable_tmp=service.executable_tmp if service else tests.executable_tmp,
        labels=ctx.labels(),
    )
