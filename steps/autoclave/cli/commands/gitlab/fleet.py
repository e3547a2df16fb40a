"""`autoclave fleet GROUP` and `autoclave fleet bump GROUP`: who uses which version, and how to change it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import click
from msgspec import Struct

from autoclave.cli import screen
from autoclave.cli.click_options import parameters
from autoclave.console.base import Screen
from autoclave.errors import HostError, UsageError
from autoclave.hosts.gitlab import fleet, fleet_bump, settings
from autoclave.hosts.gitlab.ci_file import REF
from autoclave.hosts.gitlab.fleet import Row
from autoclave.hosts.gitlab.project import GitLab
from autoclave.hosts.summary import to_plain
from autoclave.model.digest import Digest
from autoclave.runtime.options import option

_COLUMNS = ("project", "includes", "version", "overrides", "waivers", "last release", "digest")


class Options(Struct, frozen=True, kw_only=True):
    """Options of `autoclave fleet`. It needs no device repository, so it has none of their options."""

    group: Annotated[str, option("the group's path or id", argument=True)]
    gitlab_url: Annotated[str, option("the GitLab server; none: CI_SERVER_URL")] = ""
    includes: Annotated[str, option("what an include of the template has in its name")] = "autoclave"
    json: Annotated[bool, option("one JSON object per line instead of text")] = False
    debug: Annotated[bool, option("show a traceback when an error ends the command")] = False


class BumpOptions(Options, frozen=True, kw_only=True):
    """Options of `autoclave fleet bump`."""

    to: Annotated[str, option("the tag (or branch, or commit) that all are to include")] = ""
    dry_run: Annotated[bool, option("print what would be proposed, and propose nothing")] = False


O = TypeVar("O", bound=Options)  # noqa: E741 -- the usual letter for options


class _Fleet(click.Group):
    """A group whose first word is a command of its own, or else a GitLab group to show."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Use 'show' when the first word is not a command."""
        known = args and args[0] in self.commands
        return super().resolve_command(ctx, args if known else ["show", *args])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Pass options before the group's name to 'show'."""
        if args and args[0] not in {*self.commands, "--help", "-h"}:
            args = ["show", *args]
        return super().parse_args(ctx, args)


def command(name: str, text: str) -> click.Command:
    """Return the group of commands."""
    commands = [
        _command("show", "show who includes which version, and overrides what", Options, _show),
        _command("bump", "propose another version, one merge request per repository", BumpOptions, _bump),
    ]
    return _Fleet(
        name, commands=commands, help=text, short_help=text, subcommand_metavar="GROUP | COMMAND [ARGS]..."
    )


def _command(name: str, text: str, kind: type[O], call: Callable[[O, GitLab, Screen], None]) -> click.Command:
    def run(**given: Any) -> int:
        opts = kind(**given)
        view = screen.choose(as_json=opts.json)
        try:
            # These actions use no project: the name of the group takes its place.
            call(opts, GitLab(settings.server(opts.gitlab_url, os.environ), opts.group), view)
        finally:
            view.close()
        return 0

    return click.Command(name, callback=run, params=parameters(kind), help=text, short_help=text)


def _show(opts: Options, host: GitLab, view: Screen) -> None:
    rows = []
    for row in fleet.survey(host, opts.group, opts.includes):
        rows.append(row)
        if opts.json:
            view.result("", {"repository": row})
    if not opts.json:
        view.result(table(rows), {})


def table(rows: list[Row]) -> str:
    """Return the fleet as text: repositories with the template first, the others below with their reason."""
    users = [row for row in rows if row.kind]
    lines = [_COLUMNS, *(_cells(row) for row in sorted(users, key=lambda row: row.project))]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    text += [f"  {row.project}: {to_plain(row.problem)}" for row in users if row.problem]
    text += ["", f"{len(users)} of {len(rows)} repositories include the template."]
    text += [f"  {to_plain(row.project)}: {to_plain(row.problem)}" for row in rows if not row.kind]
    text += [
        "",
        "Waivers are the files on the default branch; releases and digests are those of GitLab's releases."
        " Neither is verified here.",
    ]
    return "\n".join(line.rstrip() for line in text)


def _cells(row: Row) -> tuple[str, ...]:
    overrides = [f"{each.job} ({', '.join(each.keys)})" for each in row.overrides] + list(row.variables)
    digests = ", ".join(f"{name} {Digest(digest).short}" for name, digest in row.digests.items())
    waivers = "" if row.waivers is None else str(row.waivers)
    cells = (row.project, row.kind, row.ref, "; ".join(overrides), waivers, row.release, digests)
    return tuple(to_plain(cell) or "-" for cell in cells)


def _bump(opts: BumpOptions, host: GitLab, view: Screen) -> None:
    if not REF.fullmatch(opts.to):
        raise UsageError(
            f"'{opts.to}' is not the name of a tag, branch or commit",
            next="name one with --to, e.g. --to v1.2.0",
        )
    failed = total = 0
    for each in fleet_bump.bump(host, opts.group, opts.includes, opts.to, dry_run=opts.dry_run):
        view.result(to_plain(f"{each.project}: {each.done} {each.url}".rstrip()), {"repository": each})
        total, failed = total + 1, failed + each.failed
    if failed:
        raise HostError(
            f"{failed} of {total} repositories could not be changed",
            next="fix what is listed above, then retry",
        )
