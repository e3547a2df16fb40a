"""`autoclave key`: make a key for a person or a pipeline, and say how tokens and key services are used."""

from __future__ import annotations

import click

from autoclave.cli.commands.key import kinds, new


def command(name: str, text: str) -> click.Command:
    """Return the group of commands."""
    return click.Group(name, commands=[new.command(), kinds.command()], help=text, short_help=text)
