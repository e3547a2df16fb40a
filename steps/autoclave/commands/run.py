"""`autoclave run` and `autoclave plan`."""

from __future__ import annotations

import shlex

import click

from autoclave import pipeline
from autoclave.commands.parameters import around
from autoclave.context import Context
from autoclave.pipeline import Options
from autoclave.plan import StepPlan, digest_of_all


def command(name: str, text: str) -> click.Command:
    """Return `run` or `plan`."""
    return around(name, text, Options, _plan if name == "plan" else _run)


def _run(opts: Options, ctx: Context) -> None:
    if opts.dry_run:
        _plan(opts, ctx)
        return
    done = pipeline.run(opts, ctx)
    lines = [f"{image} {digest}" for image, digest in done["images"].items()]
    ctx.screen.result("\n".join(lines), done)


def _plan(opts: Options, ctx: Context) -> None:
    found = pipeline.plans(opts, ctx)
    for planned in found:
        ctx.screen.result(told(planned), {"plan": planned, "hash": planned.digest})
    whole = digest_of_all(found)
    ctx.screen.result(f"plan {whole}", {"plan_hash": whole})


def told(planned: StepPlan) -> str:
    """Return a plan as lines for a person."""
    lines = [f"{planned.step} {planned.image}  {planned.digest}"]
    lines += [f"  run    {shlex.join(argv)}" for argv in planned.commands]
    lines += [f"  tool   {name} {version}" for name, version in sorted(planned.tools.items())]
    lines += [f"  input  {name}: {value}" for name, value in sorted(planned.inputs.items()) if value]
    return "\n".join(lines)
