"""`autoclave doctor`: check what the steps need, and print how to fix it."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import click
from msgspec import Struct

from autoclave.cli.click_options import make_command
from autoclave.context import Context
from autoclave.errors import AutoclaveError, DoctorFailed
from autoclave.gates.scan import check_index_age, is_partial
from autoclave.runtime.options import Signing
from autoclave.scan import create_scanners
from autoclave.scanners.base import Scanner
from autoclave.scanners.options import ScannerOptions
from autoclave.signers import development

_LEAST_DISK = 5 << 30  # bytes: an image, its copy in the store, and a scanner's database
_DRIFT = timedelta(seconds=60)


class Options(Signing, frozen=True):
    """Options of `autoclave doctor`."""

    scanners: ScannerOptions = ScannerOptions()


class Check(Struct, frozen=True):
    """The result of one check: passed or not, what was found, how to fix it."""

    name: str
    fine: bool
    seen: str
    fix: str = ""


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    checks: list[tuple[str, Callable[[], Check]]] = [
        ("engine", lambda: _engine(ctx)),
        ("builder", lambda: _builder(ctx)),
        *_check_scanners(opts, ctx),
        ("keys", _keys),
        ("clock", lambda: _clock(ctx)),
        ("disk", lambda: _disk(ctx)),
        ("git", lambda: _git(ctx)),
    ]
    found = [_check(name, check) for name, check in checks]
    for each in found:
        fix = f"\n            fix: {each.fix}" if each.fix and not each.fine else ""
        ctx.screen.result(f"{'✔' if each.fine else '✘'} {each.name:<9} {each.seen}{fix}", {"check": each})
    bad = [each.name for each in found if not each.fine]
    if bad:
        raise DoctorFailed(
            f"{len(bad)} of {len(found)} checks failed: {', '.join(bad)}", next="fix what is listed above"
        )


def _check(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except AutoclaveError as error:
        return Check(name, fine=False, seen=f"{error.what} ({error.why})", fix=error.next)


def _engine(ctx: Context) -> Check:
    about = ctx.engine.info()
    where = (
        about.probe_host
        or "remote: its published ports cannot be probed from here, images need a HEALTHCHECK"
    )
    return Check("engine", fine=True, seen=f"{about.name}, kernel {about.kernel}, {where}")


def _builder(ctx: Context) -> Check:
    builder = ctx.engine.builder()
    needs = [image.name for image in ctx.device.image if image.secrets]
    return Check(
        "builder",
        fine=builder == "buildkit" or not needs,
        seen=builder,
        fix=ctx.engine.buildkit_hint,
    )


def _check_scanners(opts: Options, ctx: Context) -> list[tuple[str, Callable[[], Check]]]:
    checks: list[tuple[str, Callable[[], Check]]] = []
    for each in create_scanners(opts.scanners, ctx):
        checks.append(("scanner", partial(_scanner, each)))
        checks.append(("database", partial(_database, each, ctx)))
        checks.append(("database", partial(_indexes, each, ctx)))
    return checks


def _scanner(scanner: Scanner) -> Check:
    return Check("scanner", fine=True, seen=f"{scanner.name} {scanner.versions().version}")


def _database(scanner: Scanner, ctx: Context) -> Check:
    versions = scanner.versions()
    age = ctx.now() - versions.database.updated
    allowed = timedelta(hours=ctx.policy.scan.max_database_age_hours)
    hours, limit = (span.total_seconds() / 3600 for span in (age, allowed))
    seen = f"{scanner.name}: {hours:.1f} h old (allowed {limit:.0f} h)"
    if versions.database.size:
        seen += f", {versions.database.size:,} bytes"
    if is_partial(versions.database, ctx.policy.production):
        seen += ", PARTIAL: production refuses it"
    fine = timedelta(minutes=-5) < age <= allowed
    return Check("database", fine=fine, seen=seen, fix=versions.renew)


def _indexes(scanner: Scanner, ctx: Context) -> Check:
    """Check the databases by which a scanner recognises packages; none is enough for most images."""
    versions = scanner.versions()
    old = [check_index_age(each, ctx.policy.scan, ctx.now()) for each in versions.indexes]
    seen = ", ".join(f"{each.name} of {each.updated:%Y-%m-%d}" for each in versions.indexes)
    without = "no index of Java archives" if versions.renew_indexes else "needs no index"
    return Check(
        "database",
        fine=not any(old),
        seen=f"{scanner.name}: {'; '.join(filter(None, old)) or seen or without}",
        fix=versions.renew_indexes,
    )


def _keys() -> Check:
    paths = [development.folder() / f"{name}.pem" for name in (development.STEPS, development.RELEASE)]
    opened = [path for path in paths if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    if opened:
        return Check("keys", fine=False, seen=f"{opened[0]} is open to others", fix=f"chmod 600 {opened[0]}")
    there = sum(path.exists() for path in paths)
    return Check(
        "keys", fine=True, seen=f"{there} of 2 development keys in {development.folder()}, made at first use"
    )


def _clock(ctx: Context) -> Check:
    text = ctx.engine.info().clock
    theirs = datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)
    drift = abs(ctx.now() - theirs)
    return Check(
        "clock",
        fine=drift <= _DRIFT,
        seen=f"{drift.total_seconds():.0f} s from the engine's",
        fix="set both clocks by NTP: records carry times that gates judge",
    )


def _disk(ctx: Context) -> Check:
    folder: Path = ctx.folder
    free = shutil.disk_usage(folder).free
    return Check("disk", fine=free >= _LEAST_DISK, seen=f"{free / (1 << 30):.0f} GiB free", fix="free 5 GiB")


def _git(ctx: Context) -> Check:
    commit = ctx.source.commit
    if not commit:
        return Check(
            "git", fine=False, seen="no commit", fix="git init, git add, git commit: records name it"
        )
    return Check("git", fine=True, seen=f"commit {commit[:12]}")
