"""`autoclave gitlab deployment` and `autoclave gitlab approvals`: a deployment, and who approved it."""

from __future__ import annotations

import os
from typing import Annotated

import click

from autoclave.cli.click_options import around
from autoclave.cli.commands.gitlab.shared import Telling, commit, opened, tell
from autoclave.cli.image_options import standings
from autoclave.context import Context
from autoclave.errors import HostError
from autoclave.evidence import predicates, records
from autoclave.evidence.statement import DEPLOYMENT, HOST_APPROVALS, info
from autoclave.hosts.gitlab import deployment
from autoclave.hosts.gitlab.merge_request_note import plain
from autoclave.model.facts import Deployment
from autoclave.model.plan import StepPlan
from autoclave.model.verdict import Verdict
from autoclave.release.status import Standing
from autoclave.runtime.options import option
from autoclave.signers import development


class Place(Telling, frozen=True, kw_only=True):
    """Options of `autoclave gitlab deployment`."""

    environment: Annotated[str, option("the environment, as autoclave.toml names it", argument=True)]
    ref: Annotated[str, option("the branch or tag; none: CI_COMMIT_TAG, else CI_COMMIT_REF_NAME")] = ""
    running: Annotated[bool, option("say that the deployment begins now")] = False


class Approved(Telling, frozen=True, kw_only=True):
    """Options of `autoclave gitlab approvals`."""

    environment: Annotated[str, option("the environment, as autoclave.toml names it", argument=True)]
    record: Annotated[bool, option("attach them to the images, signed, as what the host said")] = False
    key: Annotated[str, option("URI of the key that signs records; none: this user's development key")] = ""
    public_key: Annotated[str, option("PEM file of that key's public half (for tokens and key services)")] = (
        ""
    )


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
    if None in passed:
        # A step that found everything running already leaves no record: there is no deployment to tell of.
        tell(opts, ctx, "deployment", lambda: _nothing(opts.environment))
        return
    wanted = deployment.Wanted(
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
    tell(opts, ctx, "deployment", lambda: "\n".join(deployment.record(opened(opts), wanted)))


def _nothing(environment: str) -> str:
    raise HostError(
        f"no record here says that the images were deployed to {environment}",
        next=f"run 'autoclave deploy {environment}' before, or say --running",
    )


def _deployed(image: Standing, environment: str) -> bool | None:
    """Tell what the newest verified deployment record of an image says about this environment, or None."""
    found = [
        record
        for record in image.records
        if record.statement.predicate_type == DEPLOYMENT
        and predicates.facts_of(record.statement, Deployment).environment == environment
    ]
    newest = records.latest(found, DEPLOYMENT)
    return info(newest.statement).passed if newest else None


def _approvals(opts: Approved, ctx: Context) -> None:
    ctx.device.place(opts.environment)
    sha = commit(opts.commit, ctx)
    if not opts.record:
        _print(deployment.approvals(opened(opts), opts.environment, sha), ctx)
        return

    def call() -> str:
        found = deployment.approvals(opened(opts), opts.environment, sha)
        _print(found, ctx)
        return _attach(found, opts, ctx)

    tell(opts, ctx, "approvals", call)


def _attach(found: deployment.Approvals, opts: Approved, ctx: Context) -> str:
    """Attach what the host said to every image that the deployment is about."""
    if not found.approvals:
        return "GitLab tells of no approval, so there is nothing to attach"
    signer = ctx.signer_of(opts.key, opts.public_key, development.STEPS)
    now = ctx.now()
    images = [each for each in standings(opts, ctx) if ctx.device.named(each.image).service]
    for each in images:
        planned = StepPlan(
            step="approvals",
            image=each.image,
            commands=(),
            tools={"host": "gitlab"},
            inputs={"environment": opts.environment, "deployment": str(found.deployment)},
        )
        info = ctx.info(planned, Verdict("approvals"), now, now)
        subject = ctx.store.image(each.digest)
        ctx.attach(subject, HOST_APPROVALS, predicates.host_approvals(info, found), signer=signer)
    return f"attached to {len(images)} image(s), as what GitLab said"


def _print(found: deployment.Approvals, ctx: Context) -> None:
    lines = [
        f"deployment #{found.deployment} to {found.environment}: {found.status}, {found.pending} pending"
    ]
    lines += [
        f"  {each.status} by {each.username} (user {each.user_id}) at {each.at:%Y-%m-%d %H:%M:%S} "
        f"{each.comment}".rstrip()
        for each in found.approvals
    ]
    ctx.screen.result("\n".join(plain(line) for line in lines), {"approvals": found})
