"""`autoclave gitlab deployment` and `autoclave gitlab approvals`: a deployment, and who approved it."""

from __future__ import annotations

import os
from typing import Annotated

import click

from autoclave.cli.click_options import make_command
from autoclave.cli.commands.gitlab.shared import ReportOptions, find_commit, open_project, report_to_gitlab
from autoclave.cli.image_options import read_standings
from autoclave.context import Context
from autoclave.errors import HostError
from autoclave.evidence import predicates, records
from autoclave.evidence.statement import DEPLOYMENT, HOST_APPROVALS, info
from autoclave.hosts.gitlab import deployment
from autoclave.hosts.summary import to_plain
from autoclave.model.facts import Deployment
from autoclave.model.plan import StepPlan
from autoclave.model.verdict import Verdict
from autoclave.release.document import open_latest
from autoclave.release.status import ImageStatus
from autoclave.runtime.options import option
from autoclave.signers import development


class DeploymentOptions(ReportOptions, frozen=True, kw_only=True):
    """Options of `autoclave gitlab deployment`."""

    environment: Annotated[str, option("the environment, as autoclave.toml names it", argument=True)]
    ref: Annotated[str, option("the branch or tag; none: CI_COMMIT_TAG, else CI_COMMIT_REF_NAME")] = ""
    running: Annotated[bool, option("report that the deployment begins")] = False


class ApprovalsOptions(ReportOptions, frozen=True, kw_only=True):
    """Options of `autoclave gitlab approvals`."""

    environment: Annotated[str, option("the environment, as autoclave.toml names it", argument=True)]
    record: Annotated[bool, option("attach them to the images, signed, as the host's statement")] = False
    key: Annotated[str, option("URI of the key that signs records; none: this user's development key")] = ""
    public_key: Annotated[str, option("PEM file of that key's public half (for tokens and key services)")] = (
        ""
    )


def commands() -> list[click.Command]:
    """Return the commands."""
    return [
        make_command(
            "deployment", "record a deployment and the digests that run", DeploymentOptions, _deployment
        ),
        make_command("approvals", "print who approved a deployment", ApprovalsOptions, _approvals),
    ]


def _deployment(opts: DeploymentOptions, ctx: Context) -> None:
    standings = read_standings(opts, ctx)
    ctx.device.find_environment(opts.environment)
    sha = find_commit(opts.commit, ctx)
    tag = os.environ.get("CI_COMMIT_TAG", "")
    found = [each for each in standings if ctx.device.find_image(each.image).service]
    passed = [] if opts.running else [_recorded_result(each, opts.environment, ctx) for each in found]
    if None in passed:
        # A step that found everything running already attaches no record: there is no deployment to report.
        report_to_gitlab(opts, ctx, "deployment", lambda: _refuse_unrecorded(opts.environment))
        return
    wanted = deployment.HostDeployment(
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
    report_to_gitlab(
        opts, ctx, "deployment", lambda: "\n".join(deployment.record(open_project(opts), wanted))
    )


def _refuse_unrecorded(environment: str) -> str:
    raise HostError(
        f"no record says that the images were deployed to {environment}",
        next=f"run 'autoclave deploy {environment}' first, or give --running",
    )


def _recorded_result(image: ImageStatus, environment: str, ctx: Context) -> bool | None:
    """Return whether the newest verified deployment of the release there passed, None without one."""
    release = ctx.released.digest if ctx.released else ""
    found = [
        record
        for record in image.records
        if record.statement.predicate_type == DEPLOYMENT
        and (facts := predicates.facts_of(record.statement, Deployment)).environment == environment
        and facts.release == release
    ]
    newest = records.latest(found, DEPLOYMENT)
    return info(newest.statement).passed if newest else None


def _approvals(opts: ApprovalsOptions, ctx: Context) -> None:
    open_latest(ctx, named=opts.release, digest=opts.digest)
    ctx.device.find_environment(opts.environment)
    sha = find_commit(opts.commit, ctx)
    if not opts.record or opts.dry_run:
        _print(deployment.read_approvals(open_project(opts), opts.environment, sha), ctx)
        return

    def call() -> str:
        found = deployment.read_approvals(open_project(opts), opts.environment, sha)
        _print(found, ctx)
        return _attach(found, opts, ctx)

    report_to_gitlab(opts, ctx, "approvals", call)


def _attach(found: deployment.Approvals, opts: ApprovalsOptions, ctx: Context) -> str:
    """Attach the host's statement to every image of the deployment."""
    if not found.approvals:
        return "GitLab has no approval, so there is nothing to attach"
    signer = ctx.open_signer(opts.key, opts.public_key, development.STEPS)
    now = ctx.now()
    images = [each for each in read_standings(opts, ctx) if ctx.device.find_image(each.image).service]
    for each in images:
        planned = StepPlan(
            step="approvals",
            image=each.image,
            commands=(),
            tools={"host": "gitlab"},
            inputs={"environment": opts.environment, "deployment": str(found.deployment)},
        )
        info = ctx.info(planned, Verdict("approvals"), now, now)
        subject = ctx.store.find_image(each.digest)
        ctx.attach(subject, HOST_APPROVALS, predicates.host_approvals(info, found), signer=signer)
    return f"attached to {len(images)} image(s), as GitLab's statement"


def _print(found: deployment.Approvals, ctx: Context) -> None:
    lines = [
        f"deployment #{found.deployment} to {found.environment}: {found.status}, {found.pending} pending"
    ]
    lines += [
        f"  {each.status} by {each.username} (user {each.user_id}) at {each.at:%Y-%m-%d %H:%M:%S} "
        f"{each.comment}".rstrip()
        for each in found.approvals
    ]
    ctx.screen.result("\n".join(to_plain(line) for line in lines), {"approvals": found})
