"""argv → Options → run → exit code; the only place that catches errors.

Subcommands are imported when they are called, so that `autoclave --help` answers at once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from types import FrameType
from typing import Any

import click
from click.shell_completion import CompletionItem

from autoclave import __version__
from autoclave.errors import AutoclaveError, Interrupted, UsageError
from autoclave.model import steps
from autoclave.runtime.neutral import cut, neutralise, neutralise_lines
from autoclave.runtime.surroundings import print_any_text

_YES = frozenset({"1", "true", "t", "yes", "y", "on"})
"""Values of a variable that click takes for a flag that is given."""

_GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Steps": {each.name: ("cli.commands.step", each.summary) for each in steps.STEPS},
    "Release": {
        "run": ("cli.commands.run", f"run the whole flow: {steps.FLOW}"),
        "plan": ("cli.commands.run", "print what would run, with a hash over it"),
        "rollback": ("cli.commands.rollback", "restore what ran before, verified by today's policy"),
        "verify": ("cli.commands.verify", "check a release's records by the policy of its day and today's"),
        "seal": ("cli.commands.seal", "name all records in a new seal, and have it time-stamped"),
        "report": ("cli.commands.report", "write the release report: HTML and JSON, and a PDF on request"),
        "export": ("cli.commands.export_bundle", "write images, records, trust and policy as one file"),
        "import": ("cli.commands.import_bundle", "verify an exported file offline, then add it to a store"),
    },
    "Decisions by people": {
        "waive": ("cli.commands.waive", "sign a decision about a finding, as a person; list all decisions"),
        "approve": ("cli.commands.approve", "sign a release for an environment, as a person"),
        "vex": ("cli.commands.vex", "print the decisions about findings, as OpenVEX or CycloneDX"),
        "soup": (
            "cli.commands.soup",
            "list the components that are missing in the SOUP register, or add them",
        ),
        "key": ("cli.commands.key", "make a key for a person or a pipeline; print the other kinds of keys"),
        "trust": ("cli.commands.trust", "make, explain and check the organisation's trust file"),
    },
    "CI hosts": {},  # see `groups`
    "Setup and status": {
        "init": ("cli.commands.init", "write autoclave.toml out of what this repository has"),
        "validate": ("cli.commands.validate", "list all that the files alone show to be wrong, at once"),
        "doctor": ("cli.commands.doctor", "check engine, scanner, database, keys, clock, disk"),
        "tools": ("cli.commands.tools", "list the programs that are needed, with versions; install them"),
        "database": ("cli.commands.database", "renew the scanners' databases and the policy's catalogues"),
        "completion": ("cli.commands.completion", "let the shell complete commands and options"),
        "manual": ("cli.commands.manual", "print the man page, or install it"),
        "schema": ("cli.commands.schema", "print the JSON schema of autoclave.toml"),
        "policy": ("cli.commands.policy", "start an organisation's policy, or export it for a cluster"),
        "clean": ("cli.commands.clean", "remove old images that nobody needs from store and engine"),
        "status": ("cli.commands.status", "show what runs where, and whether it still verifies"),
        "show": ("cli.commands.show", "print the records of an image readably"),
        "trace": ("cli.commands.trace", "print which tests verify which requirement, and which have none"),
    },
}


@cache
def groups() -> dict[str, dict[str, tuple[str, str]]]:
    """Return every subcommand by group: its module, and its line of help."""
    from autoclave import hosts

    of_hosts = {
        each.name: (f"cli.commands.{each.module}", each.text)
        for name in hosts.names()
        for each in hosts.create(name).commands()
    }
    return _GROUPS | {"CI hosts": of_hosts}


def commands() -> dict[str, tuple[str, str]]:
    """Return every subcommand."""
    return {name: entry for group in groups().values() for name, entry in group.items()}


class _LazyGroup(click.Group):
    """A group that imports a subcommand only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the subcommands, group by group."""
        return list(commands())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a subcommand; None when there is no such name."""
        if cmd_name not in commands():
            return None
        where, text = commands()[cmd_name]
        make: Callable[[str, str], click.Command] = import_module(f"autoclave.{where}").command
        from autoclave.cli.click_options import add_json

        return add_json(make(cmd_name, text))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return what a word at the beginning can become, from the table: nothing is imported."""
        found = [
            CompletionItem(name, help=text)
            for name, (_, text) in commands().items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand. Raises click.UsageError that names the nearest one."""
        if args and args[0] not in commands():
            from autoclave.runtime.toml import nearest

            raise click.UsageError(f"there is no command '{args[0]}'; {nearest(args[0], commands())}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the groups of subcommands from the table, without importing them."""
        width = max(map(len, commands()))  # one column for all groups
        for title, group in groups().items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, (_, text) in group.items()])


@click.command(
    cls=_LazyGroup,
    help="Gated pipeline steps for medical-device software, tied to one image digest.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "-V",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, chosen: _print_version(context) if chosen else None,
    help="Show the version, and the commit that it was built from.",
)
def program() -> None:
    """Run a subcommand."""


def _print_version(context: click.Context) -> None:
    from autoclave.cli.version import describe_origin

    click.echo(f"autoclave {__version__} ({describe_origin()})")
    context.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code (see errors.py)."""
    words = list(sys.argv[1:] if argv is None else argv)
    print_any_text()
    # Also when a script started this in the background with SIGINT ignored: containers must be removed.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        done = program.main(args=words, prog_name="autoclave", standalone_mode=False)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except (Exception, KeyboardInterrupt) as error:
        return _print_error(_translate(error), words, error)
    return done if isinstance(done, int) else 0


def _translate(error: BaseException) -> AutoclaveError:
    """Return the error to print: never a traceback."""
    match error:
        case AutoclaveError():
            return error
        case KeyboardInterrupt() | click.exceptions.Abort():
            return Interrupted("stopped")
        case click.ClickException():
            return UsageError(error.format_message(), next="'autoclave --help' lists commands and options")
        case _:
            return AutoclaveError(
                "a defect in Autoclave",
                why=f"{type(error).__name__}: {error}",
                next="run it again with --debug and report what it prints",
            )


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _print_error(error: AutoclaveError, words: Sequence[str], cause: BaseException) -> int:
    """Print what happened, why, and what to do next; return the error's exit code."""
    if "--debug" in words:
        import traceback

        print(neutralise_lines("".join(traceback.format_exception(cause))), file=sys.stderr)
    if "--json" in words or os.environ.get("AUTOCLAVE_JSON", "").lower() in _YES:
        from autoclave.console import json

        data: dict[str, Any] = {"event": "error", "code": error.code, "kind": type(error).__name__}
        data |= {"what": error.what, "why": error.why, "next": error.next}
        print(json.encode(data), flush=True)
        return error.code
    print(f"\nautoclave: {neutralise(error.what)}", file=sys.stderr)
    for label, text in (("why", error.why), ("next", error.next)):
        for number, line in enumerate(text.replace("\r\n", "\n").split("\n") if text else ()):
            print(f"  {label + ':' if number == 0 else '':<6}{neutralise(cut(line))}", file=sys.stderr)
    return error.code


def entry() -> None:
    """Run as the console script."""
    sys.exit(main())
