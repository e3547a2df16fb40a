"""Roll back to what ran before: a controlled change, judged today, with a reason and a record of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Struct

from autoclave import deploy, release, targets
from autoclave.context import Context
from autoclave.device.schema import Environment, Image
from autoclave.errors import NothingToRollBack, StoreError, UsageError
from autoclave.model.digest import Digest, Digests
from autoclave.model.facts import Deployment
from autoclave.release.deployments import deployments_of
from autoclave.release.verification import read_attached
from autoclave.runtime.options import Signing, option
from autoclave.runtime.toml import nearest
from autoclave.targets.base import Target

_SHORTEST = 8  # characters: "because" is not a reason


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
    current: str
    previous: str


def run(opts: Options, ctx: Context) -> Deployment | None:
    """Restore an earlier release; return what runs then, or None on a dry run.

    The release is verified against the policy and trust of today, however it was judged in its time. Raises
    UsageError without a reason, NothingToRollBack, DeployGateClosed, DeployFailed, RollbackFailed.
    """
    if len(opts.reason.strip()) < _SHORTEST and not opts.dry_run:
        raise UsageError(
            "a rollback needs a reason",
            why="it changes what runs, and readers of the record must understand why",
            next="give one: --reason 'alarms come late since 1.4.0, incident 4711'",
        )
    target = targets.create(ctx.device.find_environment(opts.environment), ctx)
    environment = target.environment
    changes = select_changes(opts.to, target, ctx)
    summary = ", ".join(
        f"{each.image.name} {Digest(each.current).short or 'nothing'} → {Digest(each.previous).short}"
        for each in changes
    )
    ctx.screen.begin("deploy", f"rollback of {environment.name}: {summary}")
    if opts.dry_run:
        return None
    releases = [
        release.read(each.image, ctx.store.find_image(each.previous), ctx, environment=environment.name)
        for each in changes
    ]
    ctx.require(deploy.judge(releases, ctx), repeat=f"autoclave show {changes[0].previous}")
    rollout = deploy.make_rollout(releases, target, ctx)
    return deploy.roll_out(rollout, releases, target, ctx, reason=opts.reason.strip())


def select_changes(to: str, target: Target, ctx: Context) -> list[Change]:
    """Return where each image of the device goes back to. Raises NothingToRollBack, UsageError."""
    environment = target.environment
    images = deploy.list_covered(target, ctx)
    current = {each.image: each.digest for each in target.running()}
    previous = (
        _parse_digests(to, images, environment, ctx)
        if to
        else _find_previous(images, current, environment, ctx)
    )
    changes = [
        Change(each, current.get(each.name, ""), previous.get(each.name) or current.get(each.name, ""))
        for each in images
    ]
    if all(each.previous == each.current for each in changes) or not all(each.previous for each in changes):
        raise NothingToRollBack(
            f"{environment.name}: there is nothing to roll back to",
            why="no record of a deployment before the one that runs was found"
            if not to
            else "exactly that runs there already",
            next=f"deploy a release instead: autoclave deploy {environment.name} --digest DIGEST",
        )
    return changes


def _find_previous(
    images: list[Image], current: dict[str, str], environment: Environment, ctx: Context
) -> dict[str, str]:
    """Return what ran before what runs now, by the newest record of its deployment.

    Records of rollbacks are passed over: two rollbacks in a row go back twice, not there and back again.
    """
    found = [
        each
        for image in images
        for each in _read_deployments(image, current.get(image.name, ""), environment, ctx)
        if not each.reason and any(each.replaced.get(name, "") != digest for name, digest in current.items())
    ]
    newest = max(found, key=lambda each: each.finished, default=None)
    return newest.replaced if newest else {}


def _parse_digests(to: str, images: list[Image], environment: Environment, ctx: Context) -> Mapping[str, str]:
    """Return the digests that `--to` names; each must have run in this environment before."""
    names = [each.name for each in images]
    named = Digests.parse(to, names, option="--to").by_image
    if unknown := sorted(named.keys() - set(names)):
        raise UsageError(f"--to names the unknown image '{unknown[0]}'", next=nearest(unknown[0], names))
    for image in images:
        digest = named.get(image.name, "")
        if digest and not _read_deployments(image, digest, environment, ctx):
            raise NothingToRollBack(
                f"{Digest(digest).short} never ran in {environment.name}",
                why="no trusted record of its deployment there was found",
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
