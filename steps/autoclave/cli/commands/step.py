"""One step: `autoclave build`, and every other step of the table."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from autoclave.actions import handover
from autoclave.actions.validate.before import require_valid
from autoclave.cli.click_options import make_command
from autoclave.cli.passphrases import ask_for_keys
from autoclave.context import Context
from autoclave.errors import GateClosed
from autoclave.model import steps
from autoclave.model.plan import StepPlan
from autoclave.runtime.options import StepOptions


def command(name: str, text: str) -> click.Command:
    """Return the command of one step."""
    module = import_module(f"autoclave.{steps.find(name).module}")

    def call(options: Any, ctx: Context) -> None:
        is_deploy = name == steps.DEPLOY.name
        if not is_deploy:
            ctx.digests(options)  # refuse malformed ones before anything runs
            require_valid(ctx, warned=name == steps.CHECKS[0].name)
        if options.dry_run:
            if is_deploy:
                module.open_signed(options.release, options.digest, ctx)
            for planned in module.make_plans(options, ctx):
                _print(planned, ctx)
            return
        ask_for_keys(options)
        handover.read(options.take_from, ctx)
        try:
            module.run(options, ctx)
        except GateClosed:
            # The next job and the release gate need the record that says why.
            handover.write(name, options, ctx)
            raise
        handover.write(name, options, ctx)
        _print_digests(options, ctx)

    return make_command(name, text, module.Options, call)


def _print(planned: StepPlan, ctx: Context) -> None:
    from autoclave.cli.commands.run import format_plan

    ctx.screen.result(format_plan(planned), {"plan": planned, "hash": planned.digest})


def _print_digests(options: StepOptions, ctx: Context) -> None:
    """Print the digests that the next step needs."""
    digests = ctx.digests(options)
    for image in ctx.images(options.image):
        digest = ctx.subject(image, digests.of(image.name)).digest
        ctx.screen.result(f"{image.name} {digest}", {"image": image.name, "digest": digest})
