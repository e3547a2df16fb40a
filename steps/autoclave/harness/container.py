"""The test container: exactly the image under test, the device's files in it, and the reports it writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from autoclave.context import Context
from autoclave.device.schema import UnitTest, parse_size
from autoclave.engines import removal
from autoclave.engines.base import ContainerSpec, ContainerState, ImageState
from autoclave.errors import Interrupted, SourceError
from autoclave.harness import archive as copying
from autoclave.harness import lifecycle, results, traceability
from autoclave.harness.results import Results
from autoclave.harness.services import STEP, RunningServices
from autoclave.model.facts import Limits, TestFacts
from autoclave.store.oci import Descriptor

FOLDER = "/autoclave"
RESULTS_NAME = "results"
RESULTS = f"{FOLDER}/{RESULTS_NAME}"

_DID_NOT_RUN = -1  # the exit code of tests whose services failed before
_LARGEST_OUTPUT = 16 << 20  # characters of the tests' output that are shown
_LINE_COST = 32  # characters that a screen adds to a line
_PAUSE = 0.2  # seconds


class Outcome(Struct, frozen=True, kw_only=True):
    """How the test container ended and what it wrote; by default, the tests did not run."""

    image_id: str
    exit_code: int = _DID_NOT_RUN
    timed_out: bool = False
    oom_killed: bool = False
    results: Results = Results(report=TestFacts(defect="the tests did not run"))
    coverage: Descriptor | None = None


def run_tests(
    spec: ContainerSpec, tests: UnitTest, beside: RunningServices, ctx: Context, *, keep: bool
) -> Outcome:
    """Run the tests in their container and copy their reports out."""
    links = traceability.links_of(ctx)
    with open_container(spec, tests, ctx, keep=keep) as container:
        with beside.watch(ctx, lambda: ctx.engine.kill(container)):
            state, timed_out = _wait_for_end(container, tests, ctx)
        beside.check(ctx)
        return Outcome(
            image_id=state.image,
            exit_code=state.exit_code,
            timed_out=timed_out,
            oom_killed=state.oom_killed,
            results=results.read(container, RESULTS, tests.junit, links, ctx),
            coverage=_coverage(container, tests, ctx),
        )


def spec_of(
    tests: UnitTest,
    under_test: ImageState,
    network: str,
    *,
    user: str,
    outbound: str,
    shell: bool,
    labels: dict[str, str],
    plugin: bool = False,
) -> ContainerSpec:
    """Return the test container; `network` is that of its services, empty without any.

    `outbound` is the engine's network from which other machines can be reached.
    """
    limits = limits_of(tests)
    return ContainerSpec(
        image=under_test.id,
        command=("/bin/sh",) if shell else tuple(tests.command),
        user=user,
        environment=_environment(tests, under_test, plugin=plugin),
        network=network or (outbound if tests.network else "none"),
        dns=lifecycle.NO_DNS if network and not tests.network else (),
        memory=limits.memory,
        cpus=limits.cpus,
        pids=limits.pids,
        scratch=(FOLDER,),
        executable_tmp=tests.executable_tmp,
        labels=labels,
        interactive=shell,
    )


def _environment(tests: UnitTest, under_test: ImageState, *, plugin: bool) -> dict[str, str]:
    """Return the variables of the tests; the plugin's folder is the first that Python searches."""
    variables = {"HOME": "/tmp", **tests.environment}  # noqa: S108 -- a path inside the container
    if plugin:
        others = variables.get("PYTHONPATH", under_test.environment.get("PYTHONPATH", ""))
        variables["PYTHONPATH"] = f"{FOLDER}/{traceability.PLUGINS}" + (f":{others}" if others else "")
    return variables


def limits_of(tests: UnitTest) -> Limits:
    """Return what the test container may use."""
    return Limits(
        timeout=tests.timeout,
        memory=parse_size(tests.memory),
        cpus=tests.cpus,
        pids=tests.pids,
        network=tests.network,
    )


@contextmanager
def open_container(spec: ContainerSpec, tests: UnitTest, ctx: Context, *, keep: bool) -> Iterator[str]:
    """Create the test container with its files; always remove it, unless it is to be kept."""
    container = ctx.engine.create(spec)
    try:
        files = _files(tests, ctx)
        copying.refuse_taken(ctx.engine.get(container, FOLDER), files, folder=FOLDER)
        ctx.engine.put(container, FOLDER, files)
        if tests.network and spec.network != ctx.engine.outbound_network:
            # The services' own network reaches nothing outside.
            ctx.engine.connect(ctx.engine.outbound_network, container)
        yield container
    except KeyboardInterrupt:
        keep = False  # only a run that ended is kept
        raise
    finally:
        if keep and not ctx.cancelled.is_set():
            start = ctx.engine.command_line("start", "-ai", container[:12])
            remove = ctx.engine.command_line("rm", "-v", container[:12])
            ctx.screen.note(STEP, f"kept: {start} (remove it: {remove})")
        else:
            removal.remove(ctx.engine, container)


def _files(tests: UnitTest, ctx: Context) -> bytes:
    return copying.pack(
        ctx.source.folder, tests.copy, empty_folders=[RESULTS_NAME], added=traceability.plugin(ctx)
    )


def _wait_for_end(container: str, tests: UnitTest, ctx: Context) -> tuple[ContainerState, bool]:
    """Run the container to its end, or kill it at the time limit; print its output meanwhile."""
    timed_out = threading.Event()

    def expire() -> None:
        timed_out.set()
        ctx.engine.kill(container)

    timer = threading.Timer(tests.timeout, expire)
    timer.daemon = True
    lifecycle.start(container, ctx)
    timer.start()
    try:
        _show_output(container, timed_out, ctx)
        state = _await_end(container, ctx)
    finally:
        timer.cancel()
    if ctx.cancelled.is_set():
        raise Interrupted("the tests were stopped")
    return state, timed_out.is_set()


def _show_output(container: str, timed_out: threading.Event, ctx: Context) -> None:
    """Print what the tests print, up to a limit: the time limit holds for output without end too."""
    room = _LARGEST_OUTPUT
    for line in ctx.engine.logs(container, follow=True):
        room -= len(line) + _LINE_COST
        if timed_out.is_set():
            return
        if room < 0:
            ctx.screen.warn(STEP, "the tests print too much: the rest of their output is not shown")
            return
        ctx.screen.line(STEP, line)


def _await_end(container: str, ctx: Context) -> ContainerState:
    """Wait until the container has ended; the time limit, or a service that failed, kills it."""
    while not ctx.cancelled.is_set():
        state = ctx.engine.state(container)
        if state is None or not state.running:
            break
        ctx.cancelled.wait(_PAUSE)
    return ctx.engine.wait(container)


def _coverage(container: str, tests: UnitTest, ctx: Context) -> Descriptor | None:
    """Copy the coverage report into the store; no gate reads it, so an invalid one is only a warning."""
    path = f"{RESULTS}/{tests.coverage}"
    archive = ctx.engine.get(container, path) if tests.coverage else None
    try:
        if archive:
            return ctx.store.write(
                copying.single_file(archive, limit=results.MOST_BYTES), media_type=results.XML
            )
        problem = f"the tests wrote no coverage report to {path}" if tests.coverage else ""
    except SourceError as error:
        problem = f"the coverage report at {path} is invalid: {error.what}"
    if problem:
        ctx.screen.warn(STEP, problem)
    return None
