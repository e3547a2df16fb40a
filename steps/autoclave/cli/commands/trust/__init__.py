"""`autoclave trust`: make, explain and check the organisation's trust file."""

from __future__ import annotations

import click

from autoclave.cli.commands.trust import add, check, listing


def command(name: str, text: str) -> click.Command:
    """Return the group of commands."""
    return click.Group(
        name, commands=[add.command(), listing.command(), check.command()], help=text, short_help=text
    )
