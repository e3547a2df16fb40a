"""`autoclave gitlab deployment` and `autoclave gitlab approvals`: a deployment, and who approved it."""

from __future__ import annotations

import os
from typing import Annotated

import click

from autoclave.commands.hosted import Hosted, Telling, commit, opened, standings, tell
from autoclave.commands.parameters import around
from autoclave.context import Context
from autoclave.errors import UsageError
from autoclave.evidence import predicates, records
from autoclave.evidence.statement import DEPLOYMENT, info
from autoclave.facts import Deployment
from autoclave.hosts import gitlab_deploy
from autoclave.options import option
from autoclave.reports.merge_request import plain
from autoclave.standing import Standing


class Place(Telling, frozen=True, kw_only=True):
    """Options of `autoclave gitlab deployment`."""

    environment: Annotated[str, option("the environment, as autoclave.toml names it", argument=True)]
    ref: Annotated[str, option("the branch or tag; none: CI_COMMIT_TAG, else CI_COMMIT_REF_NAME")] = ""
    running: Annotated[bool, option("say that the deployment begins now")] = False


class Approved(Hosted, frozen=True, kw_only=True):
    """Options of `autoclave gitlab approvals`."""

    environment: Annotated[str, option("the environment, as autoclave.toml names it", argument=True)]
    commit: Annotated[str, option("the commit; none: CI_COMMIT_SHA, else the one checked out")] = ""


def commands() -> list[click.Command]:
    """Return the commands."""
    return [
        around("deployment", "record a deployment and the digests that run", Place, _deployment),
        around("approvals", "print who approved a deployment", Approved, _approvals),
    ]


def _deployment(opts: Place, ctx: Context) -> None:
    ctx.device.place(opts.environment)
    sha = commit(opts.commit, ctx)
    tag = os.environ.get("CI_COMMIT_TAG", "")
    found = [each for each in standings(opts, ctx) if ctx.device.named(each.image).service]
    passed = [] if opts.running else [_deployed(each, opts.environment) for each in found]
    wanted = gitlab_deploy.Wanted(
        environment=opts.environment,
        sha=sha,
        ref=opts.ref or tag or os.environ.get("CI_COMMIT_REF_NAME", "") or sha,
        tag=bool(tag) and opts.ref in ("", tag),
        status="running" if opts.running else "success" if all(passed) else "failed",
        digests={each.image: each.digest for each in found},
    )
    if opts.dry_run:
        ctx.screen.result(
            f"{wanted.environment}: {wanted.status}", {"action": "deployment", "wanted": wanted}
        )
        return
    tell(opts, ctx, "deployment", lambda: "\n".join(gitlab_deploy.record(opened(opts), wanted)))


def _deployed(image: Standing, environment: str) -> bool:
    """Tell what the newest verified deployment record of an image says about this environment."""
    found = [
        record
        for record in image.records
        if record.statement.predicate_type == DEPLOYMENT
        and predicates.facts_of(record.statement, Deployment).environment == environment
    ]
    newest = records.latest(found, DEPLOYMENT)
    if newest is None:
        raise UsageError(
            f"no record says that '{image.image}' was deployed to {environment}",
            next=f"run 'autoclave deploy {environment}' before, or say --running",
        )
    return info(newest.statement).passed


def _approvals(opts: Approved, ctx: Context) -> None:
    ctx.device.place(opts.environment)
    found = gitlab_deploy.approvals(opened(opts), opts.environment, commit(opts.commit, ctx))
    lines = [
        f"deployment #{found.deployment} to {found.environment}: {found.status}, {found.pending} pending"
    ]
    lines += [
        f"  {each.status} by {each.username} (user {each.user_id}) at {each.at:%Y-%m-%d %H:%M:%S} "
        f"{each.comment}".rstrip()
        for each in found.approvals
    ]
    ctx.screen.result("\n".join(plain(line) for line in lines), {"approvals": found})
