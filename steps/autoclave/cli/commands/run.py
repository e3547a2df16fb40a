"""`autoclave run` and `autoclave plan`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import click
import msgspec
from msgspec import Struct

from autoclave import pipeline
from autoclave.actions.validate.before import require_valid
from autoclave.cli.click_options import make_command
from autoclave.cli.passphrases import ask_for_keys
from autoclave.context import Context
from autoclave.errors import DoctorFailed, UsageError
from autoclave.harness.services import STEP as UNIT_TEST
from autoclave.model import steps
from autoclave.model.plan import StepPlan, differences, digest_of_all
from autoclave.pipeline import Options
from autoclave.runtime.options import option


class PlanOptions(Options, frozen=True):
    """Options of `autoclave plan`."""

    diff: Annotated[
        tuple[str, ...],
        option(
            "print the differences from this plan, saved with 'plan --json'; given twice: between the two"
        ),
    ] = ()


def command(name: str, text: str) -> click.Command:
    """Return `run` or `plan`."""
    return (
        make_command(name, text, PlanOptions, _plan)
        if name == "plan"
        else make_command(name, text, Options, _run)
    )


def _run(opts: Options, ctx: Context) -> None:
    if opts.dry_run:
        _plan(opts, ctx)
        return
    chosen, _ = pipeline.choose_steps(opts, ctx)
    require_valid(ctx, tested=any(each.name == UNIT_TEST for each in chosen), warned=True)
    ask_for_keys(opts, releases=steps.SIGN in chosen)
    done = pipeline.run(opts, ctx)
    lines = [f"{image} {digest}" for image, digest in done["images"].items()]
    ctx.screen.result("\n".join(lines), done)


def _plan(opts: Options, ctx: Context) -> int:
    if isinstance(opts, PlanOptions) and opts.diff:
        return _compare(opts, ctx)
    require_valid(ctx)
    found = pipeline.make_plans(opts, ctx)
    for planned in found:
        ctx.screen.result(format_plan(planned), {"plan": planned, "hash": planned.digest})
    for destination in pipeline.list_destinations(opts, ctx):
        ctx.screen.result(str(destination), {"destination": destination})
    whole = digest_of_all(found)
    ctx.screen.result(f"plan {whole}", {"plan_hash": whole})
    return 0


def _compare(opts: PlanOptions, ctx: Context) -> int:
    """Print the differences; return 60 when there are any."""
    if len(opts.diff) > 2:
        raise UsageError("--diff compares two plans", next="give it once or twice")
    plans = [_read_plan(Path(name)) for name in opts.diff]
    if len(plans) == 1:
        plans.append(pipeline.make_plans(opts, ctx))
    found = differences(*plans)
    text = "\n".join(found) or f"no difference: plan {digest_of_all(plans[0])}"
    ctx.screen.result(text, {"differences": found})
    return DoctorFailed.code if found else 0


def _read_plan(path: Path) -> list[StepPlan]:
    """Read a plan that `autoclave plan --json` printed. Raises UsageError."""
    try:
        events = [msgspec.json.decode(line, type=_Event) for line in path.read_bytes().splitlines() if line]
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(
            f"{path} is not a plan", why=str(error), next="save one with: autoclave plan --json >plan.json"
        ) from error
    plans = [event.plan for event in events if event.plan]
    if not plans:
        raise UsageError(f"{path} has no plan in it", next="save one with: autoclave plan --json >plan.json")
    return plans


class _Event(Struct):
    plan: StepPlan | None = None


def format_plan(planned: StepPlan) -> str:
    """Return a plan as lines for a person."""
    lines = [f"{planned.step} {planned.image}  {planned.digest}"]
    lines += [f"  run    {shlex.join(argv)}" for argv in planned.commands]
    lines += [f"  tool   {name} {version}" for name, version in sorted(planned.tools.items())]
    lines += [f"  input  {name}: {value}" for name, value in sorted(planned.inputs.items()) if value]
    return "\n".join(lines)
