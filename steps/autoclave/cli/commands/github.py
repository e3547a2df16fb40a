"""`autoclave github summary`: what the records say, in the summary of a GitHub Actions job.

It changes no verdict: before anything is built, or where it cannot be written, it warns and ends with 0.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from autoclave.cli.click_options import make_command
from autoclave.cli.image_options import ImageOptions, read_standings
from autoclave.context import Context
from autoclave.errors import AutoclaveError
from autoclave.evidence import predicates, records
from autoclave.evidence.statement import TEST_RESULT, VULNS
from autoclave.hosts.github import create
from autoclave.hosts.github.step_summary import Seen, render
from autoclave.hosts.summary import About
from autoclave.model.facts import ScanFacts, TestRun
from autoclave.release.status import ImageStatus
from autoclave.runtime.options import DryRun

VARIABLE = "GITHUB_STEP_SUMMARY"
_WHAT = "summary"


class Options(ImageOptions, frozen=True):
    """Options of `autoclave github summary`."""

    dry_run: DryRun = False


def command(name: str, text: str) -> click.Command:
    """Return the group of commands."""
    about = "write the verdicts, tests and findings to the summary of this job"
    return click.Group(
        name, commands=[make_command("summary", about, Options, _run)], help=text, short_help=text
    )


def _run(opts: Options, ctx: Context) -> None:
    try:
        found = read_standings(opts, ctx)
    except AutoclaveError as error:
        ctx.screen.warn(_WHAT, f"the records cannot be read: {error.what}: {error.why or error.next}")
        _report(ctx, "nothing was written to the summary; no verdict depends on it", done=False)
        return
    text = _render(found, ctx)
    path = os.environ.get(VARIABLE, "")
    if opts.dry_run or not path:
        _report(ctx, text, done=False)
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        ctx.screen.warn(_WHAT, f"{VARIABLE} cannot be written: {error}")
        _report(ctx, "nothing was written to the summary; no verdict depends on it", done=False)
        return
    _report(ctx, "written to the summary of this job", done=True)


def _report(ctx: Context, text: str, *, done: bool) -> None:
    ctx.screen.result(text, {"action": _WHAT, "done": done, "text": text})


def _render(found: Sequence[ImageStatus], ctx: Context) -> str:
    device = ctx.device.device
    about = About(
        device=device.name,
        version=device.version,
        safety_class=device.safety_class.value,
        commit=os.environ.get("GITHUB_SHA", "") or ctx.source.commit,
        pipeline=create().job(os.environ).url,
    )
    return render(about, found, [_see(each) for each in found], ctx.now())


def _see(each: ImageStatus) -> Seen:
    """Return what the newest records of an image say of its tests, and of its scan by each scanner."""
    tests = records.latest(each.records, TEST_RESULT)
    scans = records.latest_of_each(each.records, VULNS)
    return Seen(
        image=each.image,
        tests=predicates.facts_of(tests.statement, TestRun).report if tests else None,
        scans=tuple(predicates.facts_of(scan.statement, ScanFacts) for scan in scans.values()),
    )
