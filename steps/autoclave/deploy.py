"""Deploy a release to an environment: verify all of it again, replace what runs, read back, or restore."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import structs

from autoclave import release, targets
from autoclave.context import Context
from autoclave.device.schema import Environment, Image
from autoclave.device.schema import Service as ServiceSettings
from autoclave.errors import AutoclaveError, DeployFailed, DeployGateClosed, RollbackFailed
from autoclave.evidence import predicates
from autoclave.evidence.statement import DEPLOYMENT, info
from autoclave.gates import hardening, waivers
from autoclave.gates.release import UNJUDGED
from autoclave.model.declared import SignedWaiver
from autoclave.model.digest import Digest, digest_of
from autoclave.model.facts import Deployment, Finding, Running
from autoclave.model.plan import StepPlan
from autoclave.model.release import OpenedRelease
from autoclave.model.verdict import Verdict
from autoclave.model.vex import Product
from autoclave.release import Release, candidate, seal, strays
from autoclave.release.deployments import find_release, foreign_release
from autoclave.release.document import find_newer_builds, open_release
from autoclave.runtime.options import ReleaseName, SecretsFolder, StepOptions, option
from autoclave.targets.base import Preparation, Rehearsal, Restoration, Rollout, Service, Target, Unhealthy

STEP = "deploy"


class Options(StepOptions, frozen=True, kw_only=True):
    """Options of `autoclave deploy`."""

    environment: Annotated[str, option("the environment, as autoclave.toml names it", argument=True)]
    release: ReleaseName = ""
    secrets: SecretsFolder = ""


def run(opts: Options, ctx: Context) -> Deployment | None:
    """Deploy a release; return what runs there, or None when it ran there already.

    Everything comes from the release that was signed: no checkout is needed, and none is used. Raises
    DeployGateClosed when the release does not verify, DeployFailed when the new version did not
    become healthy (the previous one runs), RollbackFailed when that does not answer either.
    """
    opened = open_signed(opts.release, opts.digest, ctx)
    target = targets.create(ctx.device.find_environment(opts.environment), ctx)
    name = target.environment.name
    images = read_releases(target, ctx)
    verdict = judge(images, target, ctx)
    if not (opts.release or opts.digest or ctx.judged):
        verdict = Verdict(STEP, (*verdict.reasons, *_explain_newer_builds(opened, ctx)))
    rollout = make_rollout(images, target, ctx)
    is_running = verdict.passed and not opts.again and target.is_running(rollout)
    if is_running and _is_recorded(images, rollout):
        ctx.screen.skip(STEP, f"{name}: exactly these digests run there, verified and healthy")
        return None
    ctx.screen.begin(STEP, f"{ctx.device.device.name} {ctx.device.device.version} to {name}")
    ctx.screen.note(STEP, str(images[0].bound_for))
    ctx.require(verdict, repeat=f"autoclave show {images[0].digest}")
    if is_running:
        ctx.screen.note(
            STEP,
            f"{name}: exactly these digests run there, but no record here says so: only a record is added",
        )
    return roll_out(rollout, images, target, ctx, is_running=is_running)


def open_signed(named: str, digest: str, ctx: Context) -> OpenedRelease:
    """Open the release to deploy. Raises DeployGateClosed when nothing was judged, StoreError."""
    found = open_release(ctx, named=named, digest=digest)
    if found is None:
        error = DeployGateClosed(
            "gate closed: deploy", why=UNJUDGED, next="run 'autoclave sign', or name a release with --release"
        )
        error.reasons = (UNJUDGED,)
        raise error
    return found


def _explain_newer_builds(opened: OpenedRelease, ctx: Context) -> list[str]:
    """Return which images were built after the release was judged: nobody named the older one to deploy."""
    return [
        f"{name} {Digest(digest).short} was built after release {Digest(opened.digest).short} was judged: "
        "run 'autoclave sign', or name the release with --release"
        for name, digest in find_newer_builds(opened, ctx).items()
    ]


def list_covered(target: Target, ctx: Context) -> list[Image]:
    """Return the images that a deployment covers, whichever were named: a device is deployed whole."""
    return [image for image in ctx.device.image if target.covers(image)]


def read_releases(target: Target, ctx: Context) -> list[Release]:
    """Read the release record of each image to deploy: what is judged here is what is sealed afterwards.

    Raises DeployGateClosed when the device has none.
    """
    images = list_covered(target, ctx)
    if not images:
        raise DeployGateClosed(
            "the device has no image to deploy", next="add [image.service] to autoclave.toml"
        )
    destination = targets.find_destination(target, ctx)
    found = [release.read(image, ctx.subject(image), ctx, destination=destination) for image in images]
    for each in found:
        strays.warn(STEP, each.image.name, each.evidence.strays, ctx)
    return found


def make_plans(opts: Options, ctx: Context) -> list[StepPlan]:
    """Return what the step would run, for each image that a deployment covers."""
    target = targets.create(ctx.device.find_environment(opts.environment), ctx)
    return [plan(image, target, ctx) for image in list_covered(target, ctx)]


def plan(image: Image, target: Target, ctx: Context) -> StepPlan:
    """Return what deploying an image would run: the release, and its settings in that environment."""
    environment = target.environment
    settings = settings_of(image, environment)
    inputs = {name: str(value) for name, value in structs.asdict(settings).items() if name != "environment"}
    return StepPlan(
        step=STEP,
        image=image.name,
        commands=(),
        tools={"target": environment.target},
        inputs={
            **inputs,
            "variables": digest_of(repr(sorted(settings.environment.items())).encode()),
            "environment": environment.name,
            "publish": str(environment.publish.get(image.name, "")),
            "further ports": " ".join(
                f"{each[0]}={each[1]}" for each in environment.further_ports(image).items()
            ),
            "release": ctx.released.digest if ctx.released else "",
            **target.inputs(),
        },
    )


def settings_of(image: Image, environment: Environment) -> ServiceSettings:
    """Return how an image runs in an environment: its variables there come before those of everywhere."""
    settings = image.service or ServiceSettings()
    own = environment.variables.get(image.name, {})
    return structs.replace(settings, environment=settings.environment | own)


def judge(images: Sequence[Release], target: Target, ctx: Context) -> Verdict:
    """Return one verdict for the whole device: it is deployed whole or not at all."""
    reasons: list[str] = []
    for each, judged in candidate.judge(images, target.environment.target, ctx):
        prefix = f"{each.image.name}: " if len(images) > 1 else ""
        reasons += [f"{prefix}{reason}" for reason in judged.reasons]
    return Verdict(STEP, tuple(reasons))


def make_rollout(images: Sequence[Release], target: Target, ctx: Context) -> Rollout:
    """Return the device as it is to run in the target's environment."""
    environment = target.environment
    return Rollout(
        device=ctx.device.device.name,
        environment=environment,
        services=tuple(
            Service(
                image=each.image.name,
                descriptor=each.descriptor,
                settings=settings_of(each.image, environment),
                publish=environment.publish.get(each.image.name),
                further_ports=environment.further_ports(each.image),
                inputs=plan(each.image, target, ctx).digest,
            )
            for each in images
        ),
        flows=tuple(ctx.device.flow),
    )


def _is_recorded(images: Sequence[Release], rollout: Rollout) -> bool:
    """Return whether a good record says of each image that exactly this was deployed there.

    There may be none although it runs: a deployment died before its record, or environments share a registry.
    """
    return all(
        service.inputs in _list_inputs(each) for each, service in zip(images, rollout.services, strict=True)
    )


def _list_inputs(image: Release) -> set[str]:
    """Return the digests of the plans by which an image was deployed to that place."""
    return {
        made.inputs
        for each in image.records
        if each.statement.predicate_type == DEPLOYMENT
        and (made := info(each.statement)).passed
        and predicates.facts_of(each.statement, Deployment).went_to(image.bound_for)
    }


def roll_out(
    rollout: Rollout,
    images: Sequence[Release],
    target: Target,
    ctx: Context,
    *,
    reason: str = "",
    is_running: bool = False,
) -> Deployment:
    """Roll out the whole device, or restore whatever was replaced; record the outcome.

    `reason` is why a person rolls back; empty for a deployment. What `is_running` already, still does under
    the lock, is judged, read back and recorded, but not replaced. Raises DeployGateClosed, DeployFailed,
    RollbackFailed.
    """
    destination = images[0].bound_for
    with target.lock(rollout):
        started = ctx.now()
        before = dict(target.recover(rollout))
        replaced = find_release(_list_replaced(before, target), destination, ctx)
        is_running = is_running and target.is_running(rollout)
        running: list[Running] = []
        waived: tuple[str, ...] = ()
        restoration, failure = Restoration(()), ""
        try:
            waived = _judge_preparation(target.prepare(rollout), rollout, images[0], ctx)
            if not is_running:
                _judge_rehearsal(target.rehearse(rollout), rollout, ctx)
                target.apply(rollout)
            running = target.observe(rollout)
        except Unhealthy as error:
            failure = str(error)
            restoration = target.restore(rollout)
        except BaseException as error:  # Ctrl-C, or the target went away: restore the old version first
            restoration = target.restore(rollout)
            if restoration.silent:
                raise _make_cut_off(error, restoration, target) from error
            raise
        facts = Deployment(
            environment=destination.environment,
            place=destination.place,
            target=rollout.environment.target,
            running=tuple(running),
            started=started,
            finished=ctx.now(),
            failure=failure,
            put_back=restoration.answering,
            reason=reason,
            replaced=before,
            waived=waived,
            release=ctx.opened.digest,
            replaced_release=replaced,
        )
        if failure:
            _record_failure(facts, images, target, ctx)
            raise _make_error(facts, restoration, target)
        _record(facts, images, target, ctx)
        target.finish(rollout)
        return facts


def _list_replaced(before: Mapping[str, str], target: Target) -> list[Running]:
    """Return what ran before, by image and digest, with its settings where it still runs."""
    running = {each.image: each for each in target.running()}
    return [
        running[image]
        if image in running and running[image].digest == digest
        else Running(image=image, digest=digest, container=digest, healthy=True, inputs="")
        for image, digest in before.items()
    ]


def _judge_preparation(
    prepared: Preparation, rollout: Rollout, image: Release, ctx: Context
) -> tuple[str, ...]:
    """Judge what must not even be tried; return what waivers cover. Raises DeployGateClosed."""
    verdict, waived = _judge_findings(prepared.findings, rollout, image.evidence.waivers, ctx)
    foreign = [
        f"{each.where} runs '{each.reference}', which is not a verified release: {why}"
        for each in prepared.foreign
        if (why := foreign_release(each.digest, ctx, image.bound_for, rollout.environment.target))
    ]
    _require((*prepared.objections, *foreign, *verdict.reasons), rollout, ctx)
    return waived


def _judge_rehearsal(rehearsal: Rehearsal, rollout: Rollout, ctx: Context) -> None:
    """Judge what a trial showed, and print what will change. Raises DeployGateClosed."""
    _require(rehearsal.objections, rollout, ctx)
    for line in rehearsal.diff:
        ctx.screen.note(STEP, line)


def _require(reasons: tuple[str, ...], rollout: Rollout, ctx: Context) -> None:
    ctx.require(Verdict(STEP, reasons), repeat=f"autoclave deploy {rollout.environment.name}")


def _judge_findings(
    found: Sequence[Finding], rollout: Rollout, signed: Sequence[SignedWaiver], ctx: Context
) -> tuple[Verdict, tuple[str, ...]]:
    """Judge findings about pods, with the waivers of the release that the manifests come from.

    Returns what waivers cover as well: it is printed here, and recorded later. Pods may run several images:
    a waiver for exactly one digest covers them only when the device has no other.
    """
    if not found:
        return Verdict(STEP), ()
    judged = waivers.judge(
        signed,
        found,
        device=rollout.device,
        product=Product(digest=rollout.services[0].digest if len(rollout.services) == 1 else ""),
        policy=ctx.policy.waivers,
        now=ctx.now(),
    )
    used = [each.signed.waiver for each in judged if each.state is waivers.WaiverState.USED]
    waived = tuple(f"{each.finding} by {each.id} until {each.expires:%Y-%m-%d}" for each in used)
    for each in waived:
        ctx.screen.note(STEP, f"waived: {each}")
    return hardening.judge(found, ctx.policy, judged), waived


def _make_error(facts: Deployment, restoration: Restoration, target: Target) -> AutoclaveError:
    """Return the error of a deployment that failed."""
    if restoration.silent:
        return RollbackFailed(
            f"{facts.environment}: the new version is unhealthy, and the previous one does not answer",
            why=f"{facts.failure}\n{restoration.silent}",
            next=f"check what runs now: {target.inspect_command()}",
        )
    answers = ", ".join(f"{each.image} {Digest(each.digest).short} answers" for each in facts.put_back)
    kept = f"still there: {answers or 'what ran before was not touched'}"
    return DeployFailed(
        f"{facts.environment}: the new version did not become healthy",
        why=f"{facts.failure}\n{kept if facts.replaced else 'nothing ran here before'}",
        next=f"fix it and deploy again; for more output: autoclave deploy {facts.environment} -v",
    )


def _make_cut_off(error: BaseException, restoration: Restoration, target: Target) -> RollbackFailed:
    """Return the error of a deployment that was stopped, after which the previous version does not answer."""
    return RollbackFailed(
        f"{target.environment.name}: the deployment was stopped, and the previous version does not answer",
        why=f"{str(error) or type(error).__name__}\n{restoration.silent}",
        next=f"check what runs now: {target.inspect_command()}",
    )


def _record_failure(facts: Deployment, images: Sequence[Release], target: Target, ctx: Context) -> None:
    """Attach the outcome of a deployment that failed; that this cannot be done does not hide the failure."""
    try:
        _record(facts, images, target, ctx)
    except AutoclaveError as error:
        why = f": {error.why}" if error.why else ""
        ctx.screen.warn(STEP, f"the failed deployment is not recorded: {error.what}{why}")


def _record(facts: Deployment, images: Sequence[Release], target: Target, ctx: Context) -> None:
    """Attach the outcome of the deployment to every image of the device."""
    verdict = Verdict(STEP, (facts.failure,) if facts.failure else ())
    for each in images:
        about = ctx.info(plan(each.image, target, ctx), verdict, facts.started, facts.finished)
        made = ctx.attach(each.descriptor, DEPLOYMENT, predicates.deployment(about, facts))
        seal.apply(release.add(each, made, ctx).attached, each.image, ctx, stamp=False)
    seconds = (facts.finished - facts.started).total_seconds()
    ctx.screen.verdict(verdict, seconds, f"{ctx.device.device.name} in {facts.environment}")


if __name__ == "__main__":
    from autoclave.cli.main import main

    sys.exit(main(["deploy", *sys.argv[1:]]))
