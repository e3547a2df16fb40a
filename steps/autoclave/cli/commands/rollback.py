"""`autoclave rollback`: back to what ran before."""

from __future__ import annotations

import click

from autoclave.actions import rollback
from autoclave.cli.click_options import make_command
from autoclave.context import Context


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, rollback.Options, _run)


def _run(opts: rollback.Options, ctx: Context) -> None:
    done = rollback.run(opts, ctx)
    for each in done.running if done else ():
        ctx.screen.result(
            f"{each.image} {each.digest}",
            {"image": each.image, "digest": each.digest, "replaced": done.replaced if done else {}},
        )
