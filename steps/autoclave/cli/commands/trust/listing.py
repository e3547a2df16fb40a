"""`autoclave trust list`: what the trust file says, key by key."""

from __future__ import annotations

import click

from autoclave.cli.click_options import make_command
from autoclave.context import Context
from autoclave.evidence.trust_export import fingerprint
from autoclave.evidence.trust_reasons import describe_key
from autoclave.runtime.options import Common

_TEXT = "print who may sign what, and where: the trust file's, or this user's development keys"


class Options(Common, frozen=True):
    """Options of `autoclave trust list`."""


def command() -> click.Command:
    """Return the command."""
    return make_command("list", _TEXT, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    ctx.screen.note("trust", f"keys: {len(ctx.trust.keys)}, from {ctx.trust.source}")
    for key in ctx.trust.keys:
        lines = [f"{key.name}  {fingerprint(key)}", *(f"  {each}" for each in describe_key(key))]
        ctx.screen.result(
            "\n".join(lines),
            {
                "name": key.name,
                "fingerprint": fingerprint(key),
                "may": key.may,
                "places": key.places,
                "person": key.person,
                "packages": key.packages,
                "development": key.development,
            },
        )
    for authority in ctx.trust.authorities:
        ctx.screen.result(f"{authority.name}\n  time-stamping authority", {"authority": authority.name})
