"""Containers that run during a step: start one, and wait until it is healthy."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from msgspec import Struct

from autoclave.context import Context
from autoclave.engines.base import ContainerState, Engine, ImageState
from autoclave.errors import AutoclaveError, ConfigError, EngineError, Interrupted
from autoclave.gates.build import is_root
from autoclave.store.oci import Descriptor
from autoclave.store.users import resolve_user

NOBODY = "65534:65534"

# For a closed network: with a name server that does not exist, the engine's own one resolves no other names.
NO_DNS = ("127.0.0.1",)

_NOT_STARTED = re.compile(r'exec: "(?P<runc>[^"]{1,200})": |executable file `(?P<crun>[^`]{1,200})`')
_PAUSE = 0.2  # seconds between two probes
_PROBE = 10.0  # seconds that a health command may take


class WaitResult(Struct, frozen=True):
    """How many seconds a container was waited for, and why it is not healthy (empty: it is)."""

    seconds: float
    failure: str


def user_of(image: ImageState, descriptor: Descriptor | None, ctx: Context) -> str:
    """Return the user of a container of tests: the image's own, or nobody in place of root.

    An image of the store is at `descriptor`, and a name is root when the image's files say so; of another
    image nothing but USER is known, so a name of its own for root remains.
    """
    root = is_root(image.user) or (descriptor and resolve_user(ctx.store, descriptor.digest) == 0)
    return NOBODY if root else image.user


def start(container: str, ctx: Context) -> None:
    """Start a container, unless the run was stopped: a stopped run removes only what it finds then.

    Raises ConfigError when the image lacks the program that it is to start.
    """
    if ctx.cancelled.is_set():
        raise Interrupted("the tests were stopped")
    try:
        ctx.engine.start(container)
    except EngineError as error:
        raise explain_start(error) from error


def explain_start(error: EngineError) -> AutoclaveError:
    """Return what it means that an engine does not start a container: its program is missing, or else.

    The words are those of runc 1.1 (libcontainer, `exec: "NAME": …`) and crun 1.8 (`executable file`).
    """
    seen = _NOT_STARTED.search(error.why)
    if seen is None:
        return error
    program = seen["runc"] or seen["crun"]
    missing = "permission denied" not in error.why and "exec format error" not in error.why
    return ConfigError(
        "the command of the container cannot start: the image "
        + (f"has no program '{program}'" if missing else f"cannot run '{program}'"),
        why="tests run in the released image, which has none of their tools unless a stage on top adds them"
        if missing
        else "it is no program of this platform, or its permissions do not allow it",
        next="name a stage with the test tools (unit-test.stage), or fix unit-test.command; "
        "'autoclave unit-test --shell' opens the container",
    )


def wait_until_healthy(
    container: str, healthy: Callable[[float], bool], *, timeout: int, ctx: Context
) -> WaitResult:
    """Wait until a started container is healthy, has ended, or has reached the time limit.

    `healthy` gets the seconds that it may take. Raises Interrupted when the run is stopped.
    """
    began = time.monotonic()
    while True:
        state = ctx.engine.state(container)
        if ctx.cancelled.is_set():
            raise Interrupted("the tests were stopped")
        passed = time.monotonic() - began
        if state is None or not state.running:
            return WaitResult(round(passed, 1), describe_end(state))
        if passed >= timeout:
            return WaitResult(round(passed, 1), f"did not become healthy within {timeout} s")
        if healthy(min(_PROBE, timeout - passed)):
            return WaitResult(round(time.monotonic() - began, 1), "")
        ctx.cancelled.wait(_PAUSE)


def probe_by_command(container: str, command: tuple[str, ...], engine: Engine) -> Callable[[float], bool]:
    """Return the probe that runs a command in the container."""
    return lambda seconds: engine.execute(container, command, seconds) == 0


def describe_end(state: ContainerState | None) -> str:
    """Return how a container ended, in words."""
    if state is None:
        return "was removed by somebody else"
    killed = " (killed for memory)" if state.oom_killed else ""
    return f"ended with exit code {state.exit_code}{killed}"
