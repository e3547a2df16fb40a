"""`autoclave policy`: start an organisation's policy, and export what makes a cluster keep it."""

from __future__ import annotations

import click

from autoclave.cli.commands.policy import export, init


def command(name: str, text: str) -> click.Command:
    """Return the group of commands."""
    return click.Group(name, commands=[init.command(), export.command()], help=text, short_help=text)
