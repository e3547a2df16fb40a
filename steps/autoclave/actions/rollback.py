"""Roll back to what ran before: a controlled change, judged today, with a reason and a record of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from autoclave import deploy, targets
from autoclave.context import Context
from autoclave.errors import ConfigError, NothingToRollBack, StoreError, UsageError
from autoclave.model.digest import Digest
from autoclave.model.facts import Deployment, Running
from autoclave.model.place import Destination
from autoclave.model.release import OpenedRelease
from autoclave.release import document
from autoclave.release.deployments import deployments_of, find_release
from autoclave.release.verification import read_attached
from autoclave.runtime.options import DryRun, SecretsFolder, Signing, option
from autoclave.targets.base import Target

_SHORTEST = 8  # characters: "because" is not a reason


class Options(Signing, frozen=True, kw_only=True):
    """Options of `autoclave rollback`."""

    environment: Annotated[str, option("the environment, as autoclave.toml names it", argument=True)]
    reason: Annotated[str, option("why, in words: it is recorded and signed")] = ""
    to: Annotated[
        str, option("the release to go back to, if not the one before: its digest, or that of an image of it")
    ] = ""
    secrets: SecretsFolder = ""
    dry_run: DryRun = False


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
    deploy.open_signed("", "", ctx)
    reached = targets.create(ctx.device.find_environment(opts.environment), ctx)
    here, running = targets.find_destination(reached, ctx), reached.running()
    _adopt_previous(opts, running, here, ctx)
    target = targets.create(ctx.device.find_environment(opts.environment), ctx)
    environment = target.environment
    _refuse_elsewhere(here, targets.find_destination(target, ctx))
    ctx.screen.begin("deploy", f"rollback of {environment.name}: {_describe(running, target, ctx)}")
    if opts.dry_run:
        return None
    releases = deploy.read_releases(target, ctx)
    ctx.screen.note(deploy.STEP, str(releases[0].bound_for))
    ctx.require(deploy.judge(releases, target, ctx), repeat=f"autoclave show {releases[0].digest}")
    rollout = deploy.make_rollout(releases, target, ctx)
    return deploy.roll_out(rollout, releases, target, ctx, reason=opts.reason.strip())


def _adopt_previous(
    opts: Options, running: Sequence[Running], destination: Destination, ctx: Context
) -> None:
    """Let the context work on the release to go back to. Raises NothingToRollBack."""
    current = find_release(running, destination, ctx)
    if opts.to:
        found = _find_named(opts.to, ctx)
    else:
        previous = _find_previous(running, current, destination, ctx)
        found = document.find(ctx, named=previous) if previous else None
    if found is None or found.digest == current:
        raise NothingToRollBack(
            f"{opts.environment}: there is nothing to roll back to",
            why="no record of a deployment before the one that runs was found"
            if not opts.to
            else "exactly that runs there already",
            next=f"deploy a release instead: autoclave deploy {opts.environment} --release DIGEST",
        )
    if found.document.device != ctx.device.device.name:
        raise NothingToRollBack(
            f"release {Digest(found.digest).short} is of {found.document.device}",
            why=f"what runs in {opts.environment} is {ctx.device.device.name}",
            next="name a release of this device with --to",
        )
    document.adopt(found, ctx)
    if not _ran(found, destination, ctx):
        raise NothingToRollBack(
            f"release {Digest(found.digest).short} never ran in {opts.environment}",
            why=f"no trusted record of its deployment there ({destination.place}) was found",
            next=f"deploy it instead: autoclave deploy {opts.environment} --release {found.digest}",
        )


def _refuse_elsewhere(current: Destination, previous: Destination) -> None:
    """Refuse a release whose environment led to another place: nothing is restored there."""
    if current.place != previous.place:
        raise NothingToRollBack(
            f"{current.environment}: the release to go back to ran in another place",
            why=f"its environment leads to {previous.place}, and this one to {current.place}",
            next=f"deploy it there instead: autoclave deploy {current.environment} --release DIGEST",
        )


def _find_named(text: str, ctx: Context) -> OpenedRelease | None:
    """Return the release of a digest: its own, or an image's."""
    try:
        if "=" not in text:
            ctx.store.find_image(text)
    except StoreError:
        return document.find(ctx, named=text)
    return document.find(ctx, digest=text)


def _find_previous(running: Sequence[Running], current: str, destination: Destination, ctx: Context) -> str:
    """Return the release that ran before what runs now, by the newest record of its deployment.

    Records of rollbacks are passed over: two rollbacks in a row go back twice, not there and back again.
    """
    found = [
        each
        for one in running
        for each in _read_deployments(one.image, one.digest, destination, ctx)
        if not each.reason and each.release == current and each.replaced_release not in {"", current}
    ]
    newest = max(found, key=lambda each: each.finished, default=None)
    return newest.replaced_release if newest else ""


def _ran(found: OpenedRelease, destination: Destination, ctx: Context) -> bool:
    """Return whether a good record says that a release ran there."""
    return any(
        each.release == found.digest
        for image, digest in found.document.images.items()
        for each in _read_deployments(image, digest, destination, ctx)
    )


def _read_deployments(image: str, digest: str, destination: Destination, ctx: Context) -> list[Deployment]:
    """Return the deployments of a digest to a destination that went well, oldest first."""
    if not digest.startswith("sha256:"):
        return []
    try:
        descriptor, known = ctx.store.find_image(digest), ctx.device.find_image(image)
    except (StoreError, ConfigError):
        return []
    found = deployments_of(read_attached(descriptor, ctx, destination), known, ctx)
    return [each for each in found if each.went_to(destination) and not each.failure]


def _describe(running: Sequence[Running], target: Target, ctx: Context) -> str:
    """Return what each image goes back to, for the screen."""
    current = {each.image: each.digest for each in running}
    return ", ".join(
        f"{each.name} {Digest(current.get(each.name, '')).short or 'nothing'} → "
        f"{Digest(ctx.subject(each).digest).short}"
        for each in deploy.list_covered(target, ctx)
    )
