"""`autoclave manual [--install]`: the man page, made from the commands themselves."""

from __future__ import annotations

import os
from typing import Annotated

import click

from autoclave.cli import man_page
from autoclave.cli.click_options import make_command
from autoclave.cli.commands.completion import data_folder, home
from autoclave.context import Context
from autoclave.runtime.folder import Folder
from autoclave.runtime.options import Common, option


class Options(Common, frozen=True):
    """Options of `autoclave manual`."""

    install: Annotated[bool, option("write it where man finds it, for this user")] = False


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    from autoclave.cli.main import groups, program

    text = man_page.write(program, groups())
    if not opts.install:
        ctx.screen.result(text, {"page": text})
        return
    folder = Folder(data_folder(home(), os.environ) / "man" / "man1")
    path = folder.write("autoclave.1", [text.encode()])
    ctx.screen.result(f"man autoclave: {path}", {"file": str(path)})
