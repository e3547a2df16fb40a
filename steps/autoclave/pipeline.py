"""The whole flow, resumable: the steps of `model.steps`, in parallel where they do not need each other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from importlib import import_module
from typing import Annotated, Any

from msgspec import structs

from autoclave import build, sign, targets
from autoclave.context import Context
from autoclave.device.schema import Environment
from autoclave.engines.removal import remove_leftovers
from autoclave.errors import AutoclaveError, GateClosed, Interrupted, UsageError
from autoclave.junit import writer
from autoclave.model import steps
from autoclave.model.place import Destination
from autoclave.model.plan import StepPlan
from autoclave.model.steps import Step
from autoclave.model.verdict import Verdict
from autoclave.runtime import types
from autoclave.runtime.options import DryRun, FromWorkTree, SecretsFolder, Signing, StepOptions, option
from autoclave.scanners.options import ScannerOptions

_DEPLOYING = ("", steps.DEPLOY.name)
"""The last steps of a run that deploys."""
_POLL = 0.2  # seconds

_LISTED = f"{', '.join(steps.NAMES[:-1])} or {steps.NAMES[-1]}"


class Options(Signing, frozen=True):
    """Options of `autoclave run`."""

    scanners: ScannerOptions = ScannerOptions()
    worktree: FromWorkTree = False
    again: Annotated[bool, option("run every step even if a record for the same inputs is valid")] = False
    to: Annotated[str, option(f"the last step: {_LISTED}")] = ""
    environment: Annotated[str, option("where to deploy; none: the first that is not production")] = ""
    release_signer: sign.ReleaseKey = sign.ReleaseKey()
    again_step: Annotated[
        tuple[str, ...], option("run this step even if a record for the same inputs is valid (repeatable)")
    ] = ()
    secrets: SecretsFolder = ""
    dry_run: DryRun = False


def run(opts: Options, ctx: Context) -> dict[str, Any]:
    """Run the steps up to the last one; return the digests and what runs.

    Raises the error of the first closed gate, after the other steps of its wave have finished.
    """
    chosen, environment = choose_steps(opts, ctx)
    verdicts: list[Verdict] = []
    done: dict[str, Any] = {}
    # Before anything can fail: a host must not read the verdicts of an earlier run.
    unfinished = Verdict("run", ("the run did not finish",))
    ctx.write_report("device", "gates.xml", [writer.write([unfinished])])
    _sweep(ctx)
    try:
        for wave in steps.split_into_waves(chosen):
            calls = {each.name: _prepare(each, opts, environment, ctx) for each in wave}
            done |= _run_in_parallel(calls, ctx, verdicts)
    except BaseException:  # Ctrl-C as well: no report may say that all passed
        if all(each.passed for each in verdicts):  # it ended between two steps
            verdicts.append(unfinished)
        raise
    finally:
        ctx.write_report("device", "gates.xml", [writer.write(verdicts)])
    images: list[build.BuiltImage] = done["build"]
    result: dict[str, Any] = {"images": {each.image.name: each.descriptor.digest for each in images}}
    if environment and steps.DEPLOY in chosen:
        result |= {"environment": environment.name, "deployed": bool(done["deploy"])}
    return result


def choose_steps(opts: Options, ctx: Context) -> tuple[tuple[Step, ...], Environment | None]:
    """Return the last step and all that it needs, and where to deploy. Raises UsageError."""
    environment = _find_environment(opts, ctx)
    last = opts.to or ("deploy" if environment else "sign")
    for name in (last, *opts.again_step):
        if name not in steps.NAMES:
            raise UsageError(f"there is no step '{name}'", next=f"steps are: {', '.join(steps.NAMES)}")
    if last == "deploy" and environment is None:
        raise UsageError("there is no environment to deploy to", next="name one with --environment")
    return (*steps.find_prerequisites(last), steps.find(last)), environment


def make_plans(opts: Options, ctx: Context) -> list[StepPlan]:
    """Return what every step would run, image by image."""
    chosen, environment = choose_steps(opts, ctx)
    found: list[StepPlan] = []
    for step in chosen:
        module = load_module(step)
        found += module.make_plans(_options_of(module.Options, step, opts, environment), ctx)
    names = [image.name for image in ctx.device.image]
    return sorted(found, key=lambda each: names.index(each.image))


def list_destinations(opts: Options, ctx: Context) -> list[Destination]:
    """Return where the run would deploy to; of an environment that is not named, where each leads."""
    if opts.to not in _DEPLOYING:
        return []
    named = [ctx.device.find_environment(opts.environment)] if opts.environment else ctx.device.environment
    return [_find_destination(each, ctx) for each in named]


def load_module(step: Step) -> Any:
    """Return the module of a step: `Options`, `run(options, context)`, `make_plans(options, context)`."""
    return import_module(f"autoclave.{step.module}")


def _prepare(
    step: Step, opts: Options, environment: Environment | None, ctx: Context
) -> Callable[[], object]:
    """Return the call that runs a step with the run's options."""
    module = load_module(step)
    options = _options_of(module.Options, step, opts, environment)
    return lambda: module.run(options, ctx)


def _run_in_parallel(
    calls: Mapping[str, Callable[[], object]], ctx: Context, verdicts: list[Verdict]
) -> dict[str, object]:
    """Run steps in parallel. All of them finish their records; then the first error is raised."""
    if len(calls) == 1:  # in the main thread: Ctrl-C interrupts the step itself, so that deploy can restore
        return {name: _record_verdict(verdicts, name, call) for name, call in calls.items()}
    types.prepare()
    with ThreadPoolExecutor(max_workers=len(calls)) as pool:
        try:
            futures = {
                name: pool.submit(_record_verdict, verdicts, name, call) for name, call in calls.items()
            }
            # In short waits: a signal that arrives just before a long wait would not end it.
            while wait(futures.values(), timeout=_POLL).not_done:
                pass
        except BaseException:  # Ctrl-C as well: stop all of them first
            ctx.cancel()
            raise
    return {name: future.result() for name, future in futures.items()}


def _record_verdict(verdicts: list[Verdict], step: str, call: Callable[[], Any]) -> Any:
    """Run a step and keep its verdict for the host's report."""
    try:
        done = call()
    except BaseException as error:
        verdicts.append(Verdict(step, _explain(error)))
        raise
    verdicts.append(Verdict(step))
    return done


def _explain(error: BaseException) -> tuple[str, ...]:
    """Return why a step did not pass."""
    match error:
        case Interrupted() | KeyboardInterrupt():
            return ("stopped before its end",)
        case GateClosed():
            return error.reasons or (error.what,)
        case AutoclaveError():
            return (error.what,)
        case _:
            return (f"a defect in Autoclave: {type(error).__name__}: {error}",)


def _options_of(
    kind: type[StepOptions], step: Step, opts: Options, environment: Environment | None
) -> StepOptions:
    """Return a step's options out of the run's."""
    names = {field.name for field in structs.fields(kind)}  # a group is passed on as it is
    run = structs.asdict(opts) | {"environment": environment.name if environment else ""}
    here = {name: value for name, value in run.items() if name in names}
    return kind(**(here | {"again": opts.again or step.name in opts.again_step}))


def _find_environment(opts: Options, ctx: Context) -> Environment | None:
    if opts.environment:
        return ctx.device.find_environment(opts.environment)
    if opts.to not in _DEPLOYING:  # then no place need be reached
        return None
    for environment in ctx.device.environment:
        if not _find_destination(environment, ctx).production:
            return environment
    return None


def _find_destination(environment: Environment, ctx: Context) -> Destination:
    """Return where an environment leads: to production, when its place cannot be read."""
    try:
        return targets.find_destination(targets.create(environment, ctx), ctx)
    except Interrupted:
        raise
    except AutoclaveError as error:
        why = f"its place cannot be read: {error.what}{f': {error.why}' if error.why else ''}"
        return Destination(environment=environment.name, place="", production=True, why=why)


def _sweep(ctx: Context) -> None:
    """Remove containers of earlier runs on this machine whose process has ended (a crash, a power cut)."""
    for name in remove_leftovers(ctx.engine):
        ctx.screen.note("run", f"removed {name}, left behind by a run that crashed")


if __name__ == "__main__":
    from autoclave.cli.main import main

    sys.exit(main(["run", *sys.argv[1:]]))
