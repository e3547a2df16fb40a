"""`autoclave database update`: renew the scanners' databases and the policy's catalogues."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import click

from autoclave import scan
from autoclave.actions import databases
from autoclave.actions.catalogues import renew as renew_catalogue
from autoclave.cli.click_options import make_command
from autoclave.context import Context
from autoclave.errors import DatabaseError, UsageError
from autoclave.gates.scan import explain_partial, is_partial
from autoclave.model.facts import Database
from autoclave.runtime.options import Common, option
from autoclave.scan import create_scanners
from autoclave.scanners import catalogues
from autoclave.scanners.base import Scanner
from autoclave.scanners.options import ScannerOptions

_WHAT = "database"


class Options(Common, frozen=True):
    """Options of `autoclave database update`."""

    scanners: ScannerOptions = ScannerOptions()
    database_from: Annotated[
        str,
        option(
            "take the database of the one scanner from this file or oci://HOST/REPOSITORY[:TAG]; none: fetch "
            "nothing (default: each from its publisher)",
            flag="--from",
        ),
    ] = ""
    older_than: Annotated[
        float, option("fetch only where the one that is here is older than so many hours, or partial")
    ] = 0.0
    save: Annotated[str, option("write the database of the one scanner into this file, for --from")] = ""


class JobOptions(scan.Options, frozen=True):
    """Options of a CI host's scan job: those of the scan, and where its database comes from."""

    database_from: Annotated[
        str,
        option(
            "before the scan, take the database from this file or oci://HOST/REPOSITORY[:TAG]; publisher: "
            "each from its publisher; none: use the one that is there"
        ),
    ] = databases.PUBLISHER


JOB = "autoclave database update --older-than 12"
"""What a scan job runs first. Trivy publishes a database every six hours, Grype one a day."""


def command(name: str, text: str) -> click.Command:
    """Return the group of commands."""
    about = "fetch the scanners' databases and the policy's catalogues, and verify them before they are used"
    return click.Group(
        name, commands=[make_command("update", about, Options, _run)], help=text, short_help=text
    )


def _run(opts: Options, ctx: Context) -> None:
    scanners = create_scanners(opts.scanners, ctx)
    origin = opts.database_from or databases.PUBLISHER
    if len(scanners) > 1 and (opts.save or origin not in {databases.PUBLISHER, databases.NOWHERE}):
        raise UsageError(
            "one database cannot be that of several scanners",
            why=f"there are {len(scanners)}: {', '.join(each.name for each in scanners)}",
            next="name one: --scanner NAME, and repeat the command for the others",
        )
    for each in scanners:
        database = _find_recent(each, opts.older_than, ctx) or databases.renew(each, origin, ctx.shell)
        if is_partial(database, ctx.policy.production):
            ctx.screen.warn(_WHAT, f"{each.name}: PARTIAL ADVISORY DATABASE ({explain_partial(database)})")
        _print(ctx, each.name, database.updated, database.digest)
        if opts.save:
            databases.save(each, Path(opts.save))
    for name, text in sorted(ctx.policy.scan.catalogues.items()):
        source = catalogues.parse_source(name, text)
        if source.is_remote and origin == databases.NOWHERE:
            record = catalogues.load({name: text}).records[0]
        else:
            record = renew_catalogue(source)
        _print(ctx, f"catalogue {name}", record.updated, record.digest)


def _find_recent(scanner: Scanner, hours: float, ctx: Context) -> Database | None:
    """Return the database that is here where it is whole and not older than that; None otherwise."""
    if hours <= 0:
        return None
    try:
        database = scanner.versions().database
    except DatabaseError:  # none, or one that cannot be used: a new one is fetched
        return None
    age = ctx.now() - database.updated
    if age > timedelta(hours=hours) or is_partial(database, ctx.policy.production):
        return None
    ctx.screen.note(_WHAT, f"{scanner.name}: the one that is here is not older than {hours:g} h, and is kept")
    return database


def _print(ctx: Context, name: str, updated: datetime, digest: str) -> None:
    hours = (ctx.now() - updated).total_seconds() / 3600
    ctx.screen.result(
        f"{name}: of {updated:%Y-%m-%d %H:%M} UTC, {hours:.1f} h old, {digest}",
        {"name": name, "updated": updated, "digest": digest, "hours": round(hours, 1)},
    )
