"""`autoclave doctor`: check what the steps need, and print how to fix it. It works before all else does."""

from __future__ import annotations

from collections.abc import Callable

import click

from autoclave.cli.click_options import make_command
from autoclave.cli.commands.doctor import files, machine, programs, scanning
from autoclave.cli.commands.doctor.subject import Check, Subject, find_subject
from autoclave.context import Context
from autoclave.errors import AutoclaveError, DoctorFailed
from autoclave.runtime.options import Signing
from autoclave.scanners.options import ScannerOptions

_WIDTH = 9  # of a check's name


class Options(Signing, frozen=True):
    """Options of `autoclave doctor`."""

    scanners: ScannerOptions = ScannerOptions()


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    subject, checked = find_subject(ctx)
    found = [checked]
    _show(checked, ctx)
    for name, check in _list_checks(subject, opts, ctx):
        for each in _try(name, check):
            _show(each, ctx)
            found.append(each)
    bad = [each.name for each in found if not each.fine]
    if bad:
        raise DoctorFailed(
            f"{len(bad)} of {len(found)} checks failed: {', '.join(bad)}", next="fix what is listed above"
        )


def _list_checks(
    subject: Subject, opts: Options, ctx: Context
) -> list[tuple[str, Callable[[], list[Check]]]]:
    return [
        ("autoclave", lambda: [machine.check_version()]),
        ("engine", lambda: machine.check_engine(subject, ctx)),
        ("scanner", lambda: scanning.check_scanners(subject, opts.scanners, ctx)),
        ("tools", lambda: programs.check_programs(subject, ctx)),
        ("keys", lambda: [files.check_keys()]),
        ("git", lambda: [files.check_git(subject, ctx)]),
        ("disk", lambda: files.check_disk(opts.scanners, ctx)),
    ]


def _try(name: str, check: Callable[[], list[Check]]) -> list[Check]:
    """Return what a check finds; an error is what it finds as well."""
    try:
        return check()
    except AutoclaveError as error:
        return [Check.of_error(name, error)]


def _show(check: Check, ctx: Context) -> None:
    text = f"{'✔' if check.fine else '✘'} {check.name:<{_WIDTH}} {check.seen}"
    if check.fix and not check.fine:
        first, *rest = check.fix.splitlines()
        text += "".join(
            f"\n{'':<{_WIDTH + 3}}{line}" for line in (f"fix: {first}", *(f"     {each}" for each in rest))
        )
    ctx.screen.result(text, {"check": check})
