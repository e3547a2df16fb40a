"""Run the device's tests in a container of exactly the image under test."""

from __future__ import annotations

import shlex
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from msgspec import structs

from autoclave import build, copying, dockerfile
from autoclave.context import Context
from autoclave.device import Image, UnitTest, in_bytes
from autoclave.engines.base import BuildRequest, ContainerSpec, ContainerState, Engine, ImageState
from autoclave.errors import ConfigError, EngineError, Interrupted, SourceError
from autoclave.evidence import predicates
from autoclave.evidence.statement import TEST_RESULT
from autoclave.facts import Limits, TestFacts, TestRun
from autoclave.gates import unit_test as gate
from autoclave.gates.build import is_root
from autoclave.loaded import loaded
from autoclave.options import OnImages, option
from autoclave.plan import StepPlan
from autoclave.reports import junit
from autoclave.reports.files import write_report
from autoclave.store.image import identity
from autoclave.store.oci import Descriptor, digest_of

STEP = "unit-test"

FOLDER = "/autoclave"
RESULTS = f"{FOLDER}/results"
_LARGEST_REPORT = 2 << 30  # bytes
_NOBODY = "65534:65534"


class Options(OnImages, frozen=True):
    """Options of `autoclave unit-test`."""

    shell: Annotated[bool, option("open the very container with a shell instead of the test command")] = False
    keep: Annotated[bool, option("leave the container there after the run, for a look")] = False


def run(opts: Options, ctx: Context) -> list[Descriptor]:
    """Test every chosen image that has tests; return the digests that were tested."""
    return [_test(image, opts, ctx) for image in ctx.images(opts.image)]


def plan(image: Image, ctx: Context) -> StepPlan:
    """Return what testing an image would run, and everything that goes into it."""
    tests = _tests_of(image, ctx)
    archive = copying.packed(ctx.folder, tests.copy, empty_folders=["results"])
    return StepPlan(
        step=STEP,
        image=image.name,
        commands=(tuple(tests.command),),
        tools={},
        inputs={
            "files": digest_of(archive),
            "stage": f"{tests.stage} {build.files_digest(image, ctx)}" if tests.stage else "",
            "junit": tests.junit,
            "coverage": tests.coverage,
            "network": str(tests.network).lower(),
            "limits": f"{tests.timeout} s, {tests.memory}, {tests.cpus:g} cpus, {tests.pids} pids",
            "environment": digest_of(repr(sorted(tests.environment.items())).encode()),
        },
    )


def _test(image: Image, opts: Options, ctx: Context) -> Descriptor:
    tests = _tests_of(image, ctx)
    descriptor = ctx.subject(image, opts.digest_of(image.name))
    planned = plan(image, ctx)
    looking = opts.shell or opts.keep
    if not opts.again and not looking and _held(descriptor, planned, ctx):
        ctx.screen.skipped(STEP, f"{image.name}: these tests already passed on {descriptor.digest[:19]}…")
        return descriptor
    ctx.screen.started(STEP, f"{image.name} {descriptor.digest[:19]}…")
    started = ctx.now()
    under_test = _image_under_test(image, tests, descriptor, ctx)
    spec = _spec(tests, under_test, opts, ctx)
    with _container(spec, tests, ctx, keep=opts.keep) as container:
        if opts.shell:
            ctx.screen.note(STEP, f"the test command is: {shlex.join(tests.command)}")
            ctx.screen.close()  # the terminal is the shell's now
            ctx.shell.interactive(ctx.engine.attach_command(container))
            return descriptor
        state, timed_out = _watched(container, tests, ctx)
        raw, report = _report(container, tests, ctx)
        coverage = _coverage(container, tests, ctx)
    run = TestRun(
        command=tuple(tests.command),
        image_id=state.image,
        stage=tests.stage,
        released_layers=_is_released(under_test, descriptor, ctx),
        user=spec.user or under_test.user,
        engine=ctx.engine.info().name,
        kernel=ctx.engine.info().kernel,
        limits=_limits(tests),
        exit_code=state.exit_code,
        timed_out=timed_out,
        oom_killed=state.oom_killed and not timed_out,
        report=report,
        report_digest=raw.digest if raw else "",
        started=started,
        finished=ctx.now(),
    )
    attachments = [(name, kept) for name, kept in (("junit.xml", raw), ("coverage.xml", coverage)) if kept]
    for name, kept in attachments:
        write_report(ctx.state_folder, image.name, name, ctx.store.chunks(kept.digest))
    _conclude(descriptor, planned, run, attachments, ctx)
    return descriptor


def _conclude(
    descriptor: Descriptor,
    planned: StepPlan,
    run: TestRun,
    attachments: list[tuple[str, Descriptor]],
    ctx: Context,
) -> None:
    """Record the run, then let the gate speak."""
    verdict = gate.judge(run, ctx.policy)
    info = ctx.info(planned, verdict, run.started, run.finished)
    ctx.attach(descriptor, TEST_RESULT, predicates.test_result(info, run), attachments=attachments)
    report = run.report
    counts = f"{report.passed} passed, {report.failed + report.errors} failed, {report.skipped} skipped"
    seconds = (run.finished - run.started).total_seconds()
    ctx.screen.verdict(verdict, seconds, f"{planned.image}: {counts}")
    ctx.require(
        verdict, repeat=f"autoclave unit-test --image {planned.image}   (--shell opens the container)"
    )


def _held(descriptor: Descriptor, planned: StepPlan, ctx: Context) -> bool:
    record = ctx.record(descriptor, TEST_RESULT, planned)
    if record is None:
        return False
    return gate.judge(predicates.facts_of(record.statement, TestRun), ctx.policy).passed


def _tests_of(image: Image, ctx: Context) -> UnitTest:
    tests = ctx.device.tests_of(image)
    if tests is None:
        raise ConfigError(
            f"image '{image.name}' has no tests",
            why="an image that was not tested cannot be released",
            next="add [unit-test] with a command to autoclave.toml",
        )
    return tests


def _image_under_test(image: Image, tests: UnitTest, descriptor: Descriptor, ctx: Context) -> ImageState:
    """Return the engine's image: the released one itself, or the test stage built on top of it."""
    released = loaded(descriptor, ctx)
    if not tests.stage:
        return released
    request = _on_top_of(released, build.request_for(image, ctx, stage=tests.stage), image, ctx)
    built = ctx.engine.build(request, lambda text: ctx.screen.line(STEP, text))
    found = ctx.engine.image(built)
    if found is None:
        raise EngineError(f"the engine lost the test image {built}")
    return found


def _on_top_of(released: ImageState, request: BuildRequest, image: Image, ctx: Context) -> BuildRequest:
    """Return the request with the released image in the place of its own stage.

    A machine that did not build the image has nothing in its builder's memory, and would make that stage
    anew, with other layers.
    """
    text = (request.folder / request.dockerfile).read_text("utf-8", "replace")
    name = (
        f"autoclave-released/{ctx.device.device.name}/{image.name}:{released.id.removeprefix('sha256:')[:12]}"
    )
    changed = dockerfile.on_top_of(text, image.target, name)
    if changed is None:
        return request  # the tests' stage is not based on a named one: the gate compares layers in any case
    ctx.engine.tag(released.id, name)
    return structs.replace(request, text=changed)


def _is_released(under_test: ImageState, descriptor: Descriptor, ctx: Context) -> bool:
    """Tell whether the tested image is the released one, or begins with all of its layers."""
    released = identity(ctx.store, descriptor.digest)
    layers = released.diff_ids
    return bool(layers) and under_test.layers[: len(layers)] == layers


def _spec(tests: UnitTest, under_test: ImageState, opts: Options, ctx: Context) -> ContainerSpec:
    limits = _limits(tests)
    return ContainerSpec(
        image=under_test.id,
        command=("/bin/sh",) if opts.shell else tuple(tests.command),
        user=_NOBODY if is_root(under_test.user) else "",
        environment={"HOME": "/tmp", **tests.environment},  # noqa: S108 -- a path inside the container
        network="bridge" if tests.network else "none",
        memory=limits.memory,
        cpus=limits.cpus,
        pids=limits.pids,
        scratch=(FOLDER,),
        labels={} if opts.keep else ctx.labels(),  # a kept container is nobody's to sweep
        interactive=opts.shell,
    )


def _limits(tests: UnitTest) -> Limits:
    return Limits(
        timeout=tests.timeout,
        memory=in_bytes(tests.memory),
        cpus=tests.cpus,
        pids=tests.pids,
        network=tests.network,
    )


@contextmanager
def _container(spec: ContainerSpec, tests: UnitTest, ctx: Context, *, keep: bool) -> Iterator[str]:
    """Create the test container with its files in place; remove it whatever happens, unless it is kept."""
    container = ctx.engine.create(spec)
    try:
        ctx.engine.put(container, FOLDER, copying.packed(ctx.folder, tests.copy, empty_folders=["results"]))
        yield container
    except KeyboardInterrupt:
        keep = False  # only a run that ended leaves something to look at
        raise
    finally:
        if keep and not ctx.cancelled.is_set():
            ctx.screen.note(
                STEP, f"kept: docker start -ai {container[:12]} (remove it: docker rm -v {container[:12]})"
            )
        else:
            _remove(ctx.engine, container)


def _remove(engine: Engine, container: str) -> None:
    try:
        engine.remove(container)
    except EngineError:
        # The engine went away; what stopped the run is told already, and a later run sweeps the container.
        if sys.exc_info()[1] is None:
            raise


def _watched(container: str, tests: UnitTest, ctx: Context) -> tuple[ContainerState, bool]:
    """Run the container to its end, or kill it at the time limit; show its output meanwhile."""
    timed_out = threading.Event()

    def expire() -> None:
        timed_out.set()
        ctx.engine.kill(container)

    timer = threading.Timer(tests.timeout, expire)
    timer.daemon = True
    # The run is cancelled before its containers are looked for: one that was made too late stops here.
    if ctx.cancelled.is_set():
        raise Interrupted("the tests were stopped")
    ctx.engine.start(container)
    timer.start()
    try:
        for line in ctx.engine.logs(container, follow=True):
            ctx.screen.line(STEP, line)
        state = ctx.engine.ended(container)
    finally:
        timer.cancel()
    if ctx.cancelled.is_set():
        raise Interrupted("the tests were stopped")
    return state, timed_out.is_set()


def _report(container: str, tests: UnitTest, ctx: Context) -> tuple[Descriptor | None, TestFacts]:
    """Copy the JUnit file out into the store and count it; what is wrong with it becomes its defect."""
    path = f"{RESULTS}/{tests.junit}"
    archive = ctx.engine.get(container, path)
    if archive is None:
        return None, TestFacts(defect=f"the tests left no JUnit report at {path}")
    try:
        raw = ctx.store.write(
            copying.single_file(archive, limit=_LARGEST_REPORT), media_type="application/xml"
        )
    except SourceError as error:
        return None, TestFacts(defect=f"the JUnit report at {path} cannot be used: {error.what}")
    return raw, junit.read(ctx.store.chunks(raw.digest))


def _coverage(container: str, tests: UnitTest, ctx: Context) -> Descriptor | None:
    """Copy the coverage report out into the store; no gate reads it, so one that is amiss is only told."""
    path = f"{RESULTS}/{tests.coverage}"
    archive = ctx.engine.get(container, path) if tests.coverage else None
    try:
        if archive:
            chunks = copying.single_file(archive, limit=_LARGEST_REPORT)
            return ctx.store.write(chunks, media_type="application/xml")
        problem = f"the tests left no coverage report at {path}" if tests.coverage else ""
    except SourceError as error:
        problem = f"the coverage report at {path} cannot be used: {error.what}"
    if problem:
        ctx.screen.warn(STEP, problem)
    return None


if __name__ == "__main__":
    from autoclave.cli import main

    sys.exit(main(["unit-test", *sys.argv[1:]]))
