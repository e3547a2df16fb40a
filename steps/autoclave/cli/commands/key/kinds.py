"""`autoclave key kinds`: the kinds of keys, how each is named, and what makes one."""

from __future__ import annotations

import click

from autoclave.cli.click_options import make_command
from autoclave.context import Context
from autoclave.runtime.options import Common
from autoclave.signers.kinds import KINDS

_TEXT = "print the kinds of keys: files, tokens and key services, and how each is named and made"


class Options(Common, frozen=True):
    """Options of `autoclave key kinds`."""


def command() -> click.Command:
    """Return the command."""
    return make_command("kinds", _TEXT, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    for each in KINDS:
        lines = [f"{each.title}", f"  --key {each.uri}", *(f"  {line}" for line in each.steps)]
        if each.extra:
            lines.append(f"  needs: pip install 'securesystemslib[{each.extra}]'")
        ctx.screen.result("\n".join(lines), {"kind": each})
    ctx.screen.note(
        "key",
        "all but files need --public-key FILE too; then: autoclave trust add FILE, autoclave trust check",
    )
