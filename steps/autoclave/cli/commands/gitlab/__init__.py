"""`autoclave gitlab note|status|release|deployment|approvals`: write what the records say to GitLab.

A server that is down changes no verdict: note, status and deployment warn and end with 0, unless `--strict`
is given. A release is different: it must not exist without its evidence.
"""

from __future__ import annotations

import os
from typing import Annotated

import click

from autoclave.cli.click_options import make_command
from autoclave.cli.commands.gitlab import deployment, release
from autoclave.cli.commands.gitlab.shared import ReportOptions, find_commit, open_project, report_to_gitlab
from autoclave.cli.image_options import read_standings
from autoclave.context import Context
from autoclave.errors import UsageError
from autoclave.hosts import summary
from autoclave.hosts.gitlab import merge_request_note, settings
from autoclave.hosts.gitlab.project import Status
from autoclave.hosts.summary import About
from autoclave.model.status import GateStatus
from autoclave.runtime.options import option


class Note(ReportOptions, frozen=True):
    """Options of `autoclave gitlab note`."""

    merge_request: Annotated[str, option("its number; none: CI_MERGE_REQUEST_IID")] = ""


class CommitStatus(ReportOptions, frozen=True):
    """Options of `autoclave gitlab status`."""

    step: Annotated[tuple[str, ...], option("only this step's gate (may be repeated)")] = ()
    running: Annotated[bool, option("report the steps named with --step as running")] = False


def command(name: str, text: str) -> click.Command:
    """Return the group of commands."""
    commands = [
        make_command("note", "write the verdicts to the merge request, as one note", Note, _note),
        make_command("status", "set a commit status per gate", CommitStatus, _status),
        release.command("release", "release a tag with its evidence"),
        *deployment.commands(),
    ]
    return click.Group(name, commands=commands, help=text, short_help=text)


def _note(opts: Note, ctx: Context) -> None:
    found = read_standings(opts, ctx)
    device = ctx.device.device
    about = About(
        device=device.name,
        version=device.version,
        safety_class=device.safety_class.value,
        commit=find_commit(opts.commit, ctx),
        pipeline=os.environ.get("CI_PIPELINE_URL", ""),
    )
    text = merge_request_note.render(about, found)
    if opts.dry_run:
        ctx.screen.result(text, {"action": "note", "text": text})
        return

    def call() -> str:
        number = settings.require_setting(
            "merge request", opts.merge_request, os.environ, "CI_MERGE_REQUEST_IID", "--merge-request"
        )
        return open_project(opts).write_note(number, merge_request_note.marker(device.name), text)

    report_to_gitlab(opts, ctx, "note", call)


def _status(opts: CommitStatus, ctx: Context) -> None:
    sha = find_commit(opts.commit, ctx)
    statuses = _running_statuses(opts) if opts.running else _gate_statuses(opts, sha, ctx)
    if opts.dry_run or not statuses:
        lines = [f"{each.name} {each.state}: {each.description}" for each in statuses]
        ctx.screen.result(
            "\n".join(lines) or "no gate has a verdict", {"action": "status", "statuses": statuses}
        )
        return
    where = {
        "target_url": os.environ.get("CI_PIPELINE_URL", ""),
        "pipeline": os.environ.get("CI_PIPELINE_ID", ""),
    }
    report_to_gitlab(
        opts, ctx, "status", lambda: "\n".join(open_project(opts).set_statuses(sha, statuses, **where))
    )


def _running_statuses(opts: CommitStatus) -> list[Status]:
    if not opts.step:
        raise UsageError("--running needs a step", next="name it, e.g. --step scan")
    return [
        Status(name=f"autoclave/{step}", state="running", description="the step runs")
        for step in _steps(opts)
    ]


def _gate_statuses(opts: CommitStatus, sha: str, ctx: Context) -> list[Status]:
    """Return the status of every gate with a verdict; refuse images of another commit."""
    found = read_standings(opts, ctx)
    for each in found:
        if each.commit and each.commit != sha:
            raise UsageError(
                f"image '{each.image}' was not built from commit {sha[:12]}",
                why=f"its provenance names {each.commit}",
                next="build it from that commit, or name the right one with --commit",
            )
    states = {step: summary.combine_states(step, found) for step in _steps(opts)}
    return [
        Status(
            name=f"autoclave/{step}",
            state="success" if state is GateStatus.PASSED else "failed",
            description=summary.description(step, found),
        )
        for step, state in states.items()
        if state is not GateStatus.NONE
    ]


def _steps(opts: CommitStatus) -> tuple[str, ...]:
    for step in opts.step:
        if step not in summary.STEPS:
            raise UsageError(f"there is no step '{step}'", next=f"steps are: {', '.join(summary.STEPS)}")
    return opts.step or summary.STEPS
