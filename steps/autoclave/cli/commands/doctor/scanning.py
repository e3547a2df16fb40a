"""Checks of the scanners, and of the databases by which they judge and recognise packages."""

from __future__ import annotations

from datetime import datetime, timedelta

from autoclave.cli.commands.doctor.subject import Check, Subject
from autoclave.context import Context
from autoclave.errors import DatabaseError
from autoclave.gates.scan import check_index_age, is_partial
from autoclave.policy.schema import Policy
from autoclave.scanners.base import Scanner, Versions
from autoclave.scanners.options import ScannerOptions, create

_EARLIEST = timedelta(minutes=-5)


def check_scanners(subject: Subject, options: ScannerOptions, ctx: Context) -> list[Check]:
    """Check each scanner; its databases only when it is there."""
    scanners = create(options, subject.policy.scan.scanners, ctx.shell)
    return [check for each in scanners for check in _check_scanner(each, subject.policy, ctx.now())]


def _check_scanner(scanner: Scanner, policy: Policy, now: datetime) -> list[Check]:
    try:
        versions = scanner.versions()
    except DatabaseError as error:
        return [Check("scanner", fine=True, seen=scanner.name), Check.of_error("database", error)]
    return [
        Check("scanner", fine=True, seen=f"{scanner.name} {versions.version}"),
        _check_database(scanner.name, versions, policy, now),
        _check_indexes(scanner.name, versions, policy, now),
    ]


def _check_database(name: str, versions: Versions, policy: Policy, now: datetime) -> Check:
    age = now - versions.database.updated
    allowed = timedelta(hours=policy.scan.max_database_age_hours)
    hours, limit = (span.total_seconds() / 3600 for span in (age, allowed))
    seen = f"{name}: {hours:.1f} h old (allowed {limit:.0f} h)"
    if versions.database.size:
        seen += f", {versions.database.size:,} bytes"
    if is_partial(versions.database, policy.production):
        seen += ", PARTIAL: production refuses it"
    return Check("database", fine=_EARLIEST < age <= allowed, seen=seen, fix=versions.renew)


def _check_indexes(name: str, versions: Versions, policy: Policy, now: datetime) -> Check:
    """Check the databases by which a scanner recognises packages; none is enough for most images."""
    old = [check_index_age(each, policy.scan, now) for each in versions.indexes]
    seen = ", ".join(f"{each.name} of {each.updated:%Y-%m-%d}" for each in versions.indexes)
    without = "no index of Java archives" if versions.renew_indexes else "needs no index"
    return Check(
        "database",
        fine=not any(old),
        seen=f"{name}: {'; '.join(filter(None, old)) or seen or without}",
        fix=versions.renew_indexes,
    )
