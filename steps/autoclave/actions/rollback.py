"""Roll back to what ran before: a controlled change, judged today, with a reason and a record of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Struct

from autoclave import deploy
from autoclave.context import Context
from autoclave.deploy import Subject
from autoclave.device.schema import Environment, Image
from autoclave.errors import NothingToRollBack, StoreError, UsageError
from autoclave.model.digest import Digest, Digests
from autoclave.model.facts import Deployment, Running
from autoclave.release.deployments import deployments_of
from autoclave.release.verification import read_attached
from autoclave.runtime.options import Signing, option
from autoclave.runtime.toml import nearest

_SHORTEST = 8  # characters: "because" is no reason


class Options(Signing, frozen=True, kw_only=True):
    """Options of `autoclave rollback`."""

    environment: Annotated[str, option("the environment, as autoclave.toml names it", argument=True)]
    reason: Annotated[str, option("why, in words: it is recorded and signed")] = ""
    to: Annotated[
        str, option("the digest to go back to, if not the one before (of several images: NAME=DIGEST,…)")
    ] = ""


class Change(Struct, frozen=True):
    """One image of the device, what it runs and what it ran before."""

    image: Image
    here: str
    before: str


def run(opts: Options, ctx: Context) -> Deployment | None:
    """Put an earlier release back; return what runs then, or None on a dry run.

    The release is verified against the policy and trust of today, however it was judged in its time. Raises
    UsageError without a reason, NothingToRollBack, DeployGateClosed, DeployFailed, RollbackFailed.
    """
    if len(opts.reason.strip()) < _SHORTEST and not opts.dry_run:
        raise UsageError(
            "a rollback needs a reason",
            why="it changes what runs, and whoever reads the record must understand why",
            next="say it: --reason 'alarms come late since 1.4.0, incident 4711'",
        )
    environment = ctx.device.find_environment(opts.environment)
    target = deploy.open_target(environment, ctx)
    steps = select_changes(
        opts.to, target.running(ctx.device.device.name, environment.name), environment, ctx
    )
    told = ", ".join(
        f"{each.image.name} {Digest(each.here).short or 'nothing'} → {Digest(each.before).short}"
        for each in steps
    )
    ctx.screen.begin("deploy", f"rollback of {environment.name}: {told}")
    if opts.dry_run:
        return None
    subjects = [Subject(each.image, ctx.store.find_image(each.before)) for each in steps]
    releases = deploy.read(subjects, environment, ctx)
    ctx.require(deploy.judge(releases, ctx), repeat=f"autoclave show {steps[0].before}")
    return deploy.roll_out(releases, environment, target, ctx, reason=opts.reason.strip())


def select_changes(to: str, running: list[Running], environment: Environment, ctx: Context) -> list[Change]:
    """Return where each image of the device goes back to. Raises NothingToRollBack, UsageError."""
    here = {each.image: each.digest for each in running}
    images = [each for each in ctx.device.image if each.service or environment.kubernetes]
    former = (
        _parse_digests(to, images, environment, ctx) if to else _find_previous(images, here, environment, ctx)
    )
    steps = [
        Change(each, here.get(each.name, ""), former.get(each.name) or here.get(each.name, ""))
        for each in images
    ]
    if all(each.before == each.here for each in steps) or not all(each.before for each in steps):
        raise NothingToRollBack(
            f"{environment.name}: there is nothing to roll back to",
            why="no record tells of a deployment before the one that runs"
            if not to
            else "exactly that runs there",
            next=f"deploy a release instead: autoclave deploy {environment.name} --digest DIGEST",
        )
    return steps


def _find_previous(
    images: list[Image], here: dict[str, str], environment: Environment, ctx: Context
) -> dict[str, str]:
    """Return what ran before what runs now, by the newest record of its deployment.

    Records of rollbacks are passed over: two rollbacks in a row go back twice, not there and back again.
    """
    told = [
        each
        for image in images
        for each in _read_deployments(image, here.get(image.name, ""), environment, ctx)
        if not each.reason and any(each.replaced.get(name, "") != digest for name, digest in here.items())
    ]
    newest = max(told, key=lambda each: each.finished, default=None)
    return newest.replaced if newest else {}


def _parse_digests(to: str, images: list[Image], environment: Environment, ctx: Context) -> Mapping[str, str]:
    """Return the digests that were asked for; each must have run in this environment before."""
    names = [each.name for each in images]
    named = Digests.parse(to, names, option="--to").by_image
    if unknown := sorted(named.keys() - set(names)):
        raise UsageError(f"--to names the unknown image '{unknown[0]}'", next=nearest(unknown[0], names))
    for image in images:
        digest = named.get(image.name, "")
        if digest and not _read_deployments(image, digest, environment, ctx):
            raise NothingToRollBack(
                f"{Digest(digest).short} never ran in {environment.name}",
                why="no trusted record tells of its deployment there",
                next=f"deploy it instead: autoclave deploy {environment.name} --digest {digest}",
            )
    return named


def _read_deployments(image: Image, digest: str, environment: Environment, ctx: Context) -> list[Deployment]:
    """Return the deployments of a digest to an environment that went well, oldest first."""
    if not digest.startswith("sha256:"):
        return []
    try:
        descriptor = ctx.store.find_image(digest)
    except StoreError:
        return []
    found = deployments_of(read_attached(descriptor, ctx, environment=environment.name), image, ctx)
    return [each for each in found if each.environment == environment.name and not each.failure]
