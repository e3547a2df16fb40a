"""Deploy a release to an environment: verify all of it again, switch over, read back, or put back."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

from msgspec import Struct, structs

from autoclave import release, targets
from autoclave.context import Context, load_image
from autoclave.device import git
from autoclave.device.schema import Environment, Image, Kubernetes, parse_size
from autoclave.device.schema import Service as ServiceSettings
from autoclave.engines.base import OWNER_LABEL
from autoclave.errors import AutoclaveError, ConfigError, DeployFailed, DeployGateClosed, RollbackFailed
from autoclave.evidence import predicates
from autoclave.evidence.statement import DEPLOYMENT
from autoclave.gates import deploy as gate
from autoclave.gates import hardening, waivers
from autoclave.model.digest import Digest, digest_of
from autoclave.model.facts import Deployment, Finding, Running
from autoclave.model.plan import StepPlan
from autoclave.model.verdict import Verdict
from autoclave.release import Release, decisions, seal
from autoclave.release.candidate import candidate_of
from autoclave.release.deployments import foreign_release
from autoclave.runtime.options import StepOptions, option
from autoclave.store.base import is_address
from autoclave.store.image import read_identity
from autoclave.store.oci import Descriptor
from autoclave.targets.base import Restoration, Rollout, Service, Target, Tell, Unhealthy

STEP = "deploy"


class Options(StepOptions, frozen=True, kw_only=True):
    """Options of `autoclave deploy`."""

    environment: Annotated[str, option("the environment, as autoclave.toml names it", argument=True)]


class Subject(Struct, frozen=True):
    """An image of the device and the digest to deploy."""

    image: Image
    descriptor: Descriptor


def run(opts: Options, ctx: Context) -> Deployment | None:
    """Deploy the device's images; return what runs there, or None when it ran there already.

    Raises DeployGateClosed when the release does not verify, DeployFailed when the new version did not
    become healthy (the previous one runs), RollbackFailed when that does not answer either.
    """
    environment = ctx.device.find_environment(opts.environment)
    images = read(select_images(environment, opts, ctx), environment, ctx)
    verdict = judge(images, ctx)
    target = open_target(environment, ctx)
    if verdict.passed and not opts.again and _is_running(images, environment, target, ctx):
        ctx.screen.skip(STEP, f"{environment.name}: exactly these digests run there, verified and healthy")
        return None
    ctx.screen.begin(STEP, f"{ctx.device.device.name} {ctx.device.device.version} to {environment.name}")
    ctx.require(verdict, repeat=f"autoclave show {images[0].descriptor.digest}")
    return roll_out(images, environment, target, ctx)


def open_target(environment: Environment, ctx: Context) -> Target:
    """Return the target of an environment. Raises ConfigError."""
    return targets.create(
        environment,
        device=ctx.device,
        engine=lambda: ctx.engine,
        shell=ctx.shell,
        store=lambda: ctx.store,
        address=ctx.options.store,
    )


def select_images(environment: Environment, opts: StepOptions, ctx: Context) -> list[Subject]:
    """Return the images to deploy and their digests. Raises DeployGateClosed when there is none.

    Whatever image was named: a device is deployed whole or not at all. A cluster's manifests say how
    images run, and everything is published; elsewhere only images with a service are deployed.
    """
    digests = ctx.digests(opts)
    images = [
        Subject(image, ctx.subject(image, digests.of(image.name)))
        for image in _list_covered(environment, ctx)
    ]
    if not images:
        raise DeployGateClosed(
            "the device has no image to deploy", next="add [image.service] to autoclave.toml"
        )
    return images


def _list_covered(environment: Environment, ctx: Context) -> list[Image]:
    """Return the images that a deployment covers."""
    whole = environment.kubernetes or environment.target == "registry"
    return [image for image in ctx.device.image if image.service or whole]


def make_plans(opts: Options, ctx: Context) -> list[StepPlan]:
    """Return what the step would run, for each image."""
    environment = ctx.device.find_environment(opts.environment)
    return [plan(image, environment, ctx) for image in _list_covered(environment, ctx)]


def plan(image: Image, environment: Environment, ctx: Context) -> StepPlan:
    """Return what deploying an image would run: its settings in that environment."""
    settings = image.service or ServiceSettings()
    inputs = {name: str(value) for name, value in structs.asdict(settings).items() if name != "environment"}
    return StepPlan(
        step=STEP,
        image=image.name,
        commands=(),
        tools={"target": environment.target},
        inputs=inputs
        | {
            "variables": digest_of(repr(sorted(settings.environment.items())).encode()),
            "environment": environment.name,
            "publish": str(environment.publish.get(image.name, "")),
        }
        | (_manifests(environment.kubernetes, ctx) if environment.kubernetes else {}),
    )


def _manifests(settings: Kubernetes, ctx: Context) -> dict[str, str]:
    """Return what a cluster's objects are made of: the files named, the flows, the namespace."""
    names = [*settings.manifests, settings.kustomization, settings.chart, *settings.values]
    files = {path for name in names if name for path in git.files_below(ctx.folder, name)}
    return {
        "manifests": git.digest_of_files(ctx.folder, sorted(files)),
        "flows": digest_of(repr(ctx.device.flow).encode()),
        "namespace": settings.namespace,
    }


def read(subjects: Sequence[Subject], environment: Environment, ctx: Context) -> list[Release]:
    """Read the release record of each image, once: what is judged here is what is sealed afterwards."""
    return [release.read(each.image, each.descriptor, ctx, environment=environment.name) for each in subjects]


def judge(images: Sequence[Release], ctx: Context) -> Verdict:
    """Return one verdict for the whole device: it is deployed whole or not at all."""
    reasons: list[str] = []
    for each, runs in zip(images, release.read_runs(images, ctx), strict=True):
        judged = gate.judge(candidate_of(each, runs, ctx), ctx.policy, ctx.now())
        prefix = f"{each.image.name}: " if len(images) > 1 else ""
        reasons += [f"{prefix}{reason}" for reason in judged.reasons]
    return Verdict(STEP, tuple(reasons))


def _is_running(images: Sequence[Release], environment: Environment, target: Target, ctx: Context) -> bool:
    running = {each.image: each for each in target.running(ctx.device.device.name, environment.name)}
    for each in images:
        here = running.get(each.image.name)
        made = read_identity(ctx.store, each.descriptor.digest)
        if here is None or not here.healthy or here.digest != each.descriptor.digest:
            return False
        if here.container not in {made.config, each.descriptor.digest}:
            return False
        if here.inputs != plan(each.image, environment, ctx).digest:
            return False
    return True


def roll_out(
    images: Sequence[Release], environment: Environment, target: Target, ctx: Context, *, reason: str = ""
) -> Deployment:
    """Roll out the whole device, or put back whatever was replaced; record what came of it.

    `reason` is why a person rolls back; empty for a deployment. Raises DeployFailed, RollbackFailed.
    """
    waived: list[str] = []
    rollout = _make_rollout(images, environment, ctx, waived)
    with target.lock(rollout):
        return _roll_out(rollout, images, target, ctx, reason=reason, waived=waived)


def _roll_out(
    rollout: Rollout,
    images: Sequence[Release],
    target: Target,
    ctx: Context,
    *,
    reason: str,
    waived: list[str],
) -> Deployment:
    environment = rollout.environment
    tell = Tell(
        note=lambda text: ctx.screen.note(STEP, text),
        line=lambda text: ctx.screen.line(STEP, text),
        warn=lambda text: ctx.screen.warn(STEP, text),
    )
    started = ctx.now()
    running: list[Running] = []
    returned = Restoration(())
    failure = ""
    target.recover(rollout, tell)
    before = {each.image: each.digest for each in target.running(rollout.device, environment.name)}
    try:
        target.rehearse(rollout, tell)
        running = target.apply(rollout, tell)
    except Unhealthy as error:
        failure = str(error)
        returned = target.restore(rollout, tell)
    except BaseException:  # Ctrl-C, or the target went away: leave the old version, then tell
        target.restore(rollout, tell)
        raise
    facts = Deployment(
        environment=environment.name,
        target=environment.target,
        running=tuple(running),
        started=started,
        finished=ctx.now(),
        failure=failure,
        put_back=returned.answering,
        reason=reason,
        replaced=before,
        waived=tuple(waived),
    )
    _record(facts, images, environment, ctx)
    if failure:
        raise _make_error(facts, returned, target, ctx)
    target.finish(rollout)
    return facts


def _make_error(facts: Deployment, returned: Restoration, target: Target, ctx: Context) -> AutoclaveError:
    """Return what a user is told about a deployment that failed."""
    if returned.silent:
        return RollbackFailed(
            f"{facts.environment}: the new version is unhealthy, and the previous one does not answer",
            why=f"{facts.failure}\n{returned.silent}",
            next=f"look at it now: {target.inspect_command(ctx.device.device.name, facts.environment)}",
        )
    answers = ", ".join(f"{each.image} {Digest(each.digest).short} answers" for each in facts.put_back)
    return DeployFailed(
        f"{facts.environment}: the new version did not become healthy",
        why=f"{facts.failure}\nstill there: {answers or 'what ran before was not touched'}",
        next=f"mend it and deploy again; try it by hand: autoclave deploy {facts.environment} -v",
    )


def _record(facts: Deployment, images: Sequence[Release], environment: Environment, ctx: Context) -> None:
    """Attach what came of the deployment to every image of the device."""
    verdict = Verdict(STEP, (facts.failure,) if facts.failure else ())
    for each in images:
        info = ctx.info(plan(each.image, environment, ctx), verdict, facts.started, facts.finished)
        made = ctx.attach(each.descriptor, DEPLOYMENT, predicates.deployment(info, facts))
        seal.apply(release.add(each, made, ctx).attached, each.image, ctx, stamp=False)
    seconds = (facts.finished - facts.started).total_seconds()
    ctx.screen.verdict(verdict, seconds, f"{ctx.device.device.name} in {environment.name}")


def _make_rollout(
    images: Sequence[Release], environment: Environment, ctx: Context, waived: list[str]
) -> Rollout:
    descriptors = {each.descriptor.digest: each.descriptor for each in images}
    repository = environment.kubernetes.repository if environment.kubernetes else ""
    return Rollout(
        device=ctx.device.device.name,
        environment=environment,
        services=tuple(_service(each, environment, ctx) for each in images),
        folder=ctx.folder,
        flows=tuple(ctx.device.flow),
        owner=ctx.labels()[OWNER_LABEL],
        image_id=lambda digest: load_image(descriptors[digest], ctx).id,
        reference=lambda digest: f"{repository or _repository(ctx)}@{digest}",
        foreign=lambda digest: foreign_release(digest, ctx, environment.name),
        judged=lambda found: _judge_findings(found, images[0].descriptor.digest, ctx, waived),
        require=lambda verdict: ctx.require(verdict, repeat=f"autoclave deploy {environment.name}"),
    )


def _judge_findings(found: Sequence[Finding], digest: str, ctx: Context, waived: list[str]) -> Verdict:
    """Judge findings about pods, with the waivers of the checkout that the manifests come from.

    What a waiver covers is told, and added to `waived` for the record.
    """
    standings = waivers.judge(
        decisions.read_decisions(ctx),
        found,
        device=ctx.device.device.name,
        digest=digest,
        policy=ctx.policy.waivers,
        now=ctx.now(),
    )
    for each in standings:
        if each.state is waivers.WaiverState.USED:
            waiver = each.signed.waiver
            told = f"{waiver.finding} by {waiver.id} until {waiver.expires:%Y-%m-%d}"
            ctx.screen.note(STEP, f"waived: {told}")
            waived.append(told)
    return hardening.judge(found, ctx.policy, standings)


def _repository(ctx: Context) -> str:
    """Return the repository in which the cluster finds the store's images. Raises ConfigError."""
    if not is_address(ctx.options.store):
        raise ConfigError(
            "a cluster cannot pull from a store that is a folder of this machine",
            why=f"the store is {ctx.options.store or '.autoclave/store'}",
            next="use a registry as the store: --store oci://HOST/REPOSITORY",
        )
    return ctx.options.store.partition("://")[2]


def _service(each: Release, environment: Environment, ctx: Context) -> Service:
    settings = each.image.service or ServiceSettings()
    return Service(
        image=each.image.name,
        digest=each.descriptor.digest,
        port=settings.port,
        publish=environment.publish.get(each.image.name),
        health=settings.health,
        volumes=settings.volumes,
        environment=settings.environment,
        memory=parse_size(settings.memory),
        cpus=settings.cpus,
        pids=settings.pids,
        start_timeout=settings.start_timeout,
        inputs=plan(each.image, environment, ctx).digest,
        labels=ctx.labels(),
    )


if __name__ == "__main__":
    from autoclave.cli.main import main

    sys.exit(main(["deploy", *sys.argv[1:]]))
