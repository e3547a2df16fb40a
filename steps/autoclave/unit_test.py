"""Run the device's tests in a container of exactly the image under test."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from typing import Annotated

import msgspec

from autoclave import build
from autoclave.context import Context, load_image
from autoclave.device.schema import Image, TestService, UnitTest
from autoclave.engines.base import ContainerSpec, ImageState
from autoclave.errors import ConfigError, EngineError, UsageError
from autoclave.evidence import predicates
from autoclave.evidence.statement import TEST_RESULT
from autoclave.gates import unit_test as gate
from autoclave.harness import arbitrary_user, differences, lifecycle, services, traceability
from autoclave.harness import archive as copying
from autoclave.harness import container as container_tests
from autoclave.harness.services import STEP, PinnedService, RunningServices
from autoclave.hosts import identify_runner
from autoclave.model.digest import Digest, digest_of
from autoclave.model.facts import TestRun
from autoclave.model.plan import StepPlan
from autoclave.runtime.options import SourceOptions, option
from autoclave.store.archive import layers
from autoclave.store.image import read_identity
from autoclave.store.oci import Descriptor


class Options(SourceOptions, frozen=True):
    """Options of `autoclave unit-test`."""

    shell: Annotated[bool, option("open the same container with a shell instead of the test command")] = False
    keep: Annotated[bool, option("keep the container after the run, for inspection")] = False


def run(opts: Options, ctx: Context) -> list[Descriptor]:
    """Test every chosen image that has tests; return the digests that were tested."""
    return [_test(image, opts, ctx) for image in ctx.images(opts.image)]


def make_plans(opts: Options, ctx: Context) -> list[StepPlan]:
    """Return what the step would run, for each image."""
    return [plan(image, ctx) for image in ctx.images(opts.image)]


def plan(image: Image, ctx: Context) -> StepPlan:
    """Return what testing an image would run, and all of its inputs."""
    tests = _tests_of(image, ctx)
    return StepPlan(
        step=STEP,
        image=image.name,
        commands=(tuple(tests.command),),
        tools={},
        inputs={
            **_files_input(tests, ctx),
            "stage": f"{tests.stage} {build.stage_digest(image, tests.stage, ctx)}" if tests.stage else "",
            "junit": ", ".join(tests.junit),
            "coverage": tests.coverage,
            "network": str(tests.network).lower(),
            "limits": f"{tests.timeout} s, {tests.memory}, {tests.cpus:g} cpus, {tests.pids} pids",
            "environment": digest_of(repr(sorted(tests.environment.items())).encode()),
            "tmp": "executable" if tests.executable_tmp else "not executable",
            **traceability.inputs(ctx),
            **{f"service {each.name}": _service_input(each, ctx) for each in tests.service},
        },
    )


def _files_input(tests: UnitTest, ctx: Context) -> dict[str, str]:
    """Return what names the test files: the commit and its tree; of a work tree, a digest over them."""
    if not ctx.source.is_worktree:
        return {"commit": ctx.source.commit, "tree": ctx.source.tree}
    return {
        "files": digest_of(
            copying.pack(ctx.source.folder, tests.copy, empty_folders=[container_tests.RESULTS_NAME])
        )
    }


def _service_input(service: TestService, ctx: Context) -> str:
    """Return the inputs of a service: the reference by digest, or the files of this device's image."""
    made_of = service.image
    if "@" not in service.image:
        made_of += f" {build.files_digest(ctx.device.find_image(service.image), ctx)}"
    return f"{made_of} {digest_of(msgspec.json.encode(service, order='sorted'))}"


def _test(image: Image, opts: Options, ctx: Context) -> Descriptor:
    tests = _tests_of(image, ctx)
    _refuse_kept_services(tests, opts)
    descriptor = ctx.subject(image, ctx.digests(opts).of(image.name))
    chosen = services.pin(tests, ctx, ctx.digests(opts))
    build.pull_images(image, tests.stage, ctx)
    planned = plan(image, ctx)
    looking = opts.shell or opts.keep
    if not opts.again and not looking and _is_recorded(descriptor, planned, chosen, ctx):
        ctx.screen.skip(
            STEP, f"{image.name}: these tests already passed on {Digest(descriptor.digest).short}"
        )
        return descriptor
    ctx.screen.begin(STEP, f"{image.name} {Digest(descriptor.digest).short}")
    started = ctx.now()
    released = load_image(descriptor, ctx)
    under_test = _image_under_test(image, tests, released, ctx)
    changed = _differences(released, under_test, ctx) if tests.stage and not opts.shell else ()
    with services.start_services(image, chosen, ctx) as beside:
        labels = {} if opts.keep else ctx.labels()  # no later run may remove a kept container
        plugin = ctx.device.traceability.pytest_plugin
        spec = container_tests.spec_of(
            tests,
            under_test,
            beside.network,
            user=lifecycle.user_of(released, descriptor, ctx),  # whatever a stage says
            outbound=ctx.engine.outbound_network,
            shell=opts.shell,
            labels=labels,
            plugin=plugin,
        )
        if opts.shell:
            _open_shell(spec, tests, beside, opts, ctx)
            return descriptor
        outcome = container_tests.Outcome(image_id=under_test.id)
        if not beside.failed:
            outcome = container_tests.run_tests(spec, tests, beside, ctx, keep=opts.keep)
        tried = None
        if ctx.policy.unit_test.arbitrary_user and not beside.failed:
            tried = arbitrary_user.run(image, tests, released, beside.network, ctx)
    run = TestRun(
        command=tuple(tests.command),
        image_id=outcome.image_id,
        stage=tests.stage,
        released_layers=_is_released(under_test, descriptor, ctx),
        differences=changed,
        user=spec.user,
        engine=ctx.engine.info().name,
        kernel=ctx.engine.info().kernel,
        limits=container_tests.limits_of(tests),
        exit_code=outcome.exit_code,
        timed_out=outcome.timed_out,
        oom_killed=outcome.oom_killed and not outcome.timed_out,
        report=outcome.results.report,
        reports=outcome.results.raw,
        started=started,
        finished=ctx.now(),
        services=tuple(beside.runs.values()),
        arbitrary_user=tried,
        variables=digest_of(repr(sorted(spec.environment.items())).encode()),
        ran_by=ctx.shell.mask(identify_runner(ctx.host, os.environ)),
    )
    attachments = [*_titled(outcome.results.files)]
    if outcome.coverage:
        attachments.append(("coverage.xml", outcome.coverage))
    ctx.remove_reports(image.name, "junit*.xml")  # there may have been more
    for name, kept in attachments:
        ctx.write_report(image.name, name, ctx.store.chunks(kept.digest))
    traceability.warn_of_gaps(image, run, STEP, ctx)
    _conclude(descriptor, planned, run, attachments, ctx, logs=beside.tails)
    return descriptor


def _titled(files: dict[str, Descriptor]) -> Iterator[tuple[str, Descriptor]]:
    """Yield the JUnit files under the names that CI hosts collect, `junit*.xml`."""
    for number, kept in enumerate(files.values(), 1):
        yield "junit.xml" if len(files) == 1 else f"junit-{number:03}.xml", kept


def _open_shell(
    spec: ContainerSpec, tests: UnitTest, beside: RunningServices, opts: Options, ctx: Context
) -> None:
    """Open a shell in the test container, while its services run."""
    for run in beside.runs.values():
        if run.failure:
            ctx.screen.warn(STEP, f"service '{run.name}' {run.failure}")
    with container_tests.open_container(spec, tests, ctx, keep=opts.keep) as container:
        ctx.screen.note(STEP, f"the test command is: {shlex.join(tests.command)}")
        ctx.screen.close()  # the shell uses the terminal now
        ctx.shell.interactive(ctx.engine.attach_command(container))


def _refuse_kept_services(tests: UnitTest, opts: Options) -> None:
    if opts.keep and tests.service:
        raise UsageError(
            "--keep cannot keep a test container that has services",
            why="services and their network are always removed, and the container cannot start without them",
            next="open it with --shell: the services run as long as the shell does",
        )


def _conclude(
    descriptor: Descriptor,
    planned: StepPlan,
    run: TestRun,
    attachments: list[tuple[str, Descriptor]],
    ctx: Context,
    *,
    logs: dict[str, list[str]],
) -> None:
    """Record the run, then close the gate if the verdict requires it."""
    verdict = gate.judge(run, ctx.policy)
    info = ctx.info(planned, verdict, run.started, run.finished)
    ctx.attach(descriptor, TEST_RESULT, predicates.test_result(info, run), attachments=attachments)
    report = run.report
    counts = f"{report.passed} passed, {report.failed + report.errors} failed, {report.skipped} skipped"
    seconds = (run.finished - run.started).total_seconds()
    ctx.screen.verdict(verdict, seconds, f"{planned.image}: {counts}")
    for name, lines in logs.items() if not verdict.passed else ():
        ctx.screen.note(
            STEP, f"the last lines of service {name} (all: reports/{planned.image}/service-{name}.log)"
        )
        for line in lines:
            ctx.screen.line(STEP, line)
    ctx.require(
        verdict, repeat=f"autoclave unit-test --image {planned.image}   (--shell opens the container)"
    )


def _is_recorded(
    descriptor: Descriptor, planned: StepPlan, chosen: list[PinnedService], ctx: Context
) -> bool:
    record = ctx.record(descriptor, TEST_RESULT, planned)
    if record is None:
        return False
    run = predicates.facts_of(record.statement, TestRun)
    same = [each.digest for each in run.services] == [each.digest for each in chosen]
    # A record of a version that did not trace requirements would leave them all without a test.
    traced = bool(run.report.traced or run.report.unlinked)
    return same and traced and gate.judge(run, ctx.policy).passed


def _tests_of(image: Image, ctx: Context) -> UnitTest:
    tests = ctx.device.tests_of(image)
    if tests is None:
        raise ConfigError(
            f"image '{image.name}' has no tests",
            why="an image that was not tested cannot be released",
            next="add [unit-test] with a command to autoclave.toml",
        )
    return tests


def _image_under_test(image: Image, tests: UnitTest, released: ImageState, ctx: Context) -> ImageState:
    """Return the engine's image: the released one itself, or the test stage built on it."""
    if not tests.stage:
        return released
    name = f"{build.RELEASED}/{ctx.device.device.name}/{image.name}:{Digest(released.id).hex[:12]}"
    ctx.engine.tag(released.id, name)
    request = build.stage_on(name, image, tests.stage, ctx)
    built = ctx.engine.build(request, lambda text: ctx.screen.line(STEP, text))
    found = ctx.engine.image(built)
    if found is None:
        raise EngineError(f"the engine does not have the test image {built} that was just built")
    return found


def _differences(released: ImageState, stage: ImageState, ctx: Context) -> tuple[str, ...]:
    """Return what the stage changes of the released image, by the content of their layers."""
    below = len(released.layers)
    if stage.layers[:below] != released.layers:
        return ()  # another image altogether, which the gate names
    files, shown = layers.read_files(ctx.engine.save(stage.id), stage.id, below=below)
    return differences.compare_files(files, shown) + differences.compare_variables(
        released.environment, stage.environment
    )


def _is_released(under_test: ImageState, descriptor: Descriptor, ctx: Context) -> bool:
    """Return whether the tested image is the released one, or begins with all of its layers."""
    released = read_identity(ctx.store, descriptor.digest)
    below = released.diff_ids
    return bool(below) and under_test.layers[: len(below)] == below


if __name__ == "__main__":
    from autoclave.cli.main import main

    sys.exit(main(["unit-test", *sys.argv[1:]]))
