"""`autoclave doctor`: check what the steps need, and say how to mend each."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from msgspec import Struct

from autoclave.cli.click_options import make_command
from autoclave.context import Context
from autoclave.errors import AutoclaveError, DoctorFailed
from autoclave.scan import ScannerOptions, create_scanner
from autoclave.signers import development

_LEAST_DISK = 5 << 30  # bytes: an image, its copy in the store, and a scanner's database
_DRIFT = timedelta(seconds=60)


class Options(ScannerOptions, frozen=True):
    """Options of `autoclave doctor`."""


class Check(Struct, frozen=True):
    """What one check found: fine or not, what was seen, how to mend it."""

    name: str
    fine: bool
    seen: str
    mend: str = ""


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    checks: list[tuple[str, Callable[[], Check]]] = [
        ("engine", lambda: _engine(ctx)),
        ("builder", lambda: _builder(ctx)),
        ("scanner", lambda: _scanner(opts, ctx)),
        ("database", lambda: _database(opts, ctx)),
        ("keys", _keys),
        ("clock", lambda: _clock(ctx)),
        ("disk", lambda: _disk(ctx)),
        ("git", lambda: _git(ctx)),
    ]
    found = [_check(name, check) for name, check in checks]
    for each in found:
        mend = f"\n            mend: {each.mend}" if each.mend and not each.fine else ""
        ctx.screen.result(f"{'✔' if each.fine else '✘'} {each.name:<9} {each.seen}{mend}", {"check": each})
    bad = [each.name for each in found if not each.fine]
    if bad:
        raise DoctorFailed(
            f"{len(bad)} of {len(found)} checks failed: {', '.join(bad)}", next="mend them, see above"
        )


def _check(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except AutoclaveError as error:
        return Check(name, fine=False, seen=f"{error.what} ({error.why})", mend=error.next)


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
        mend=ctx.engine.buildkit_hint,
    )


def _scanner(opts: Options, ctx: Context) -> Check:
    versions = create_scanner(opts).version(ctx.shell)
    return Check("scanner", fine=True, seen=f"{versions.scanner} {versions.version}")


def _database(opts: Options, ctx: Context) -> Check:
    database = create_scanner(opts).version(ctx.shell).database
    age = ctx.now() - database.updated
    allowed = timedelta(hours=ctx.policy.scan.max_database_age_hours)
    partial = database.size < ctx.policy.production.min_database_bytes
    seen = f"{age.total_seconds() / 3600:.1f} h old (allowed {allowed.total_seconds() / 3600:.0f} h), "
    seen += f"{database.size:,} bytes" + (", PARTIAL: production refuses it" if partial else "")
    mend = "trivy image --download-db-only (or make the small one again: setup/database.sh)"
    return Check("database", fine=timedelta(minutes=-5) < age <= allowed, seen=seen, mend=mend)


def _keys() -> Check:
    paths = [development.folder() / f"{name}.pem" for name in (development.STEPS, development.RELEASE)]
    opened = [path for path in paths if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    if opened:
        return Check("keys", fine=False, seen=f"{opened[0]} is open to others", mend=f"chmod 600 {opened[0]}")
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
        mend="set both clocks by NTP: records carry times that gates judge",
    )


def _disk(ctx: Context) -> Check:
    folder: Path = ctx.folder
    free = shutil.disk_usage(folder).free
    return Check("disk", fine=free >= _LEAST_DISK, seen=f"{free / (1 << 30):.0f} GiB free", mend="free 5 GiB")


def _git(ctx: Context) -> Check:
    commit = ctx.commit
    if not commit.id:
        return Check(
            "git", fine=False, seen="no commit", mend="git init, git add, git commit: records name it"
        )
    return Check(
        "git", fine=True, seen=f"commit {commit.id[:12]}{', uncommitted changes' if commit.dirty else ''}"
    )
