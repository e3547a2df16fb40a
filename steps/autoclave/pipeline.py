"""The order of the steps: build → unit-test ∥ scan → sign → deploy, resumable."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Annotated, Any, TypeVar

from msgspec import structs

from autoclave import build, deploy, scan, sign, unit_test
from autoclave.context import Context, write_report
from autoclave.device.schema import Environment
from autoclave.engines.prune import remove_leftovers
from autoclave.errors import AutoclaveError, GateClosed, Interrupted, UsageError
from autoclave.gates.deploy import is_production
from autoclave.junit import writer
from autoclave.model.facts import Deployment
from autoclave.model.plan import StepPlan
from autoclave.model.verdict import Verdict
from autoclave.runtime.options import Signing, StepOptions, option
from autoclave.scanners.options import ScannerOptions

T = TypeVar("T", bound=StepOptions)

_LOOK = 0.2  # seconds between two looks at the steps that run beside each other

ORDER = ("build", "unit-test", "scan", "sign", "deploy")


class Options(Signing, frozen=True):
    """Options of `autoclave run`."""

    scanners: ScannerOptions = ScannerOptions()
    again: Annotated[bool, option("run every step even if its record holds")] = False
    to: Annotated[str, option("the last step: build, unit-test, scan, sign or deploy")] = ""
    environment: Annotated[str, option("where to deploy; none: the first that is not production")] = ""
    release: sign.ReleaseKey = sign.ReleaseKey()
    again_step: Annotated[tuple[str, ...], option("run this step even if its record holds (repeatable)")] = ()


def run(opts: Options, ctx: Context) -> dict[str, Any]:
    """Walk the arrows up to the last step; return the digests and what runs.

    Raises the first closed gate's error, after steps that ran beside it have finished their records.
    """
    steps, environment = choose_steps(opts, ctx)
    verdicts: list[Verdict] = []
    result: dict[str, Any] = {}
    # Before anything can fail: an earlier run's verdicts must not stand for this one's.
    unfinished = Verdict("run", ("the run did not finish",))
    write_report(ctx.state_folder, "device", "gates.xml", [writer.write([unfinished])])
    _sweep(ctx)
    try:
        result["images"] = {
            each.image.name: each.descriptor.digest
            for each in _record_verdict(
                verdicts, "build", lambda: build.run(_options_of(build.Options, "build", opts), ctx)
            )
        }
        _run_in_parallel(steps, opts, ctx, verdicts)
        if "sign" in steps:
            _record_verdict(verdicts, "sign", lambda: sign.run(_options_of(sign.Options, "sign", opts), ctx))
        if "deploy" in steps and environment:
            options = _options_of(deploy.Options, "deploy", opts, environment=environment.name)
            deployed: Deployment | None = _record_verdict(
                verdicts, "deploy", lambda: deploy.run(options, ctx)
            )
            result["environment"] = environment.name
            result["deployed"] = bool(deployed)
    finally:
        write_report(ctx.state_folder, "device", "gates.xml", [writer.write(verdicts)])
    return result


def choose_steps(opts: Options, ctx: Context) -> tuple[tuple[str, ...], Environment | None]:
    """Return the steps up to the last one, and where to deploy. Raises UsageError."""
    environment = _find_environment(opts, ctx)
    last = opts.to or ("deploy" if environment else "sign")
    for name in (last, *opts.again_step):
        if name not in ORDER:
            raise UsageError(f"there is no step '{name}'", next=f"steps are: {', '.join(ORDER)}")
    if last == "deploy" and environment is None:
        raise UsageError("there is no environment to deploy to", next="name one with --environment")
    until = ORDER.index(last)
    steps = ORDER[: until + 1]
    # unit-test and scan stand beside each other: neither needs the other.
    return (("build", "scan") if last == "scan" else steps), environment


def make_plans(opts: Options, ctx: Context) -> list[StepPlan]:
    """Return what every step would run, for every image."""
    steps, environment = choose_steps(opts, ctx)
    found: list[StepPlan] = []
    for image in ctx.device.image:
        found.append(build.plan(image, ctx))
        if "unit-test" in steps:
            found.append(unit_test.plan(image, ctx))
        if "scan" in steps:
            found += scan.plans(image, opts.scanners, ctx)
        if "sign" in steps:
            found.append(sign.plan(image, ctx))
        if "deploy" in steps and environment and image.service:
            found.append(deploy.plan(image, environment, ctx))
    return found


def _run_in_parallel(steps: Sequence[str], opts: Options, ctx: Context, verdicts: list[Verdict]) -> None:
    """Run unit-test and scan at the same time; both finish their records, then the first error counts."""
    work: list[tuple[str, Callable[[], object]]] = []
    if "unit-test" in steps:
        work.append(
            ("unit-test", lambda: unit_test.run(_options_of(unit_test.Options, "unit-test", opts), ctx))
        )
    if "scan" in steps:
        work.append(("scan", lambda: scan.run(_options_of(scan.Options, "scan", opts), ctx)))
    with ThreadPoolExecutor(max_workers=2) as pool:
        try:
            futures = [pool.submit(_record_verdict, verdicts, name, call) for name, call in work]
            # In short waits: a signal that arrives just as a long one begins would not end it.
            while wait(futures, timeout=_LOOK).not_done:
                pass
        except BaseException:  # Ctrl-C as well: end both, then leave
            ctx.cancel()
            raise
    errors = [future.exception() for future in futures]
    for error in errors:
        if error:
            raise error


def _record_verdict(verdicts: list[Verdict], step: str, call: Callable[[], Any]) -> Any:
    """Run a step and keep its verdict for the host's report."""
    try:
        done = call()
    except (Interrupted, KeyboardInterrupt):
        verdicts.append(Verdict(step, ("stopped before its end",)))
        raise
    except GateClosed as error:
        verdicts.append(Verdict(step, error.reasons or (error.what,)))
        raise
    except AutoclaveError as error:
        verdicts.append(Verdict(step, (error.what,)))
        raise
    verdicts.append(Verdict(step))
    return done


def _options_of(kind: type[T], step: str, opts: Options, **more: Any) -> T:
    """Return a step's options out of the run's."""
    names = {field.name for field in structs.fields(kind)}  # a group is handed on whole
    here = {name: value for name, value in structs.asdict(opts).items() if name in names}
    here["again"] = opts.again or step in opts.again_step
    return kind(**(here | more))


def _find_environment(opts: Options, ctx: Context) -> Environment | None:
    if opts.environment:
        return ctx.device.find_environment(opts.environment)
    for environment in ctx.device.environment:
        if not is_production(environment.name, ctx.policy):
            return environment
    return None


def _sweep(ctx: Context) -> None:
    """Remove containers of earlier runs on this machine whose process is gone (a crash, a power cut)."""
    for name in remove_leftovers(ctx.engine):
        ctx.screen.note("run", f"removed {name}, left behind by a run that crashed")


if __name__ == "__main__":
    from autoclave.cli.main import main

    sys.exit(main(["run", *sys.argv[1:]]))
