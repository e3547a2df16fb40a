"""Deploy a release to an environment: verify all of it again, switch over, read back, or put back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from msgspec import Struct, structs

from autoclave import targets
from autoclave.context import Context
from autoclave.device import Environment, Image, in_bytes
from autoclave.device import Service as ServiceSettings
from autoclave.engines.base import OWNER_LABEL
from autoclave.errors import DeployFailed, DeployGateClosed, EngineError, RollbackFailed
from autoclave.evidence import predicates
from autoclave.evidence.statement import DEPLOYMENT
from autoclave.facts import Deployment, Running
from autoclave.gates import deploy as gate
from autoclave.gates.verdict import Verdict
from autoclave.loaded import loaded
from autoclave.options import OnImages, option
from autoclave.plan import StepPlan
from autoclave.store.image import identity
from autoclave.store.oci import Descriptor, digest_of
from autoclave.targets.base import Service, Target, Unhealthy
from autoclave.verifying import released

STEP = "deploy"


class Options(OnImages, frozen=True, kw_only=True):
    """Options of `autoclave deploy`."""

    environment: Annotated[str, option("the environment, as autoclave.toml names it", argument=True)]


class _Release(Struct, frozen=True):
    """An image of the device and the digest to deploy."""

    image: Image
    descriptor: Descriptor


def run(opts: Options, ctx: Context) -> Deployment | None:
    """Deploy the device's images; return what runs there, or None when it ran there already.

    Raises DeployGateClosed when the release does not verify, DeployFailed when the new version did not
    become healthy (the previous one runs), RollbackFailed when that does not answer either.
    """
    environment = ctx.device.place(opts.environment)
    # Whatever image was named: a device is deployed whole or not at all.
    images = [
        _Release(image, ctx.subject(image, opts.digest_of(image.name)))
        for image in ctx.device.image
        if image.service
    ]
    if not images:
        raise DeployGateClosed(
            "the device has no image to deploy", next="add [image.service] to autoclave.toml"
        )
    verdict = _judge(images, environment, ctx)
    target = targets.named(environment.target, ctx.engine)
    if verdict.passed and not opts.again and _runs(images, environment, target, ctx):
        ctx.screen.skipped(STEP, f"{environment.name}: exactly these digests run there, verified and healthy")
        return None
    ctx.screen.started(STEP, f"{ctx.device.device.name} {ctx.device.device.version} to {environment.name}")
    ctx.require(verdict, repeat=f"autoclave show {images[0].descriptor.digest}")
    holder = {OWNER_LABEL: ctx.labels()[OWNER_LABEL], "image": loaded(images[0].descriptor, ctx).id}
    with target.locked(ctx.device.device.name, environment.name, holder):
        return _deploy(images, environment, target, ctx)


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
        },
    )


def _judge(images: list[_Release], environment: Environment, ctx: Context) -> Verdict:
    """Return one verdict for the whole device: it is deployed whole or not at all."""
    reasons: list[str] = []
    for each in images:
        judged = gate.judge(
            released(each.descriptor, each.image, ctx, environment.name), ctx.policy, ctx.now()
        )
        prefix = f"{each.image.name}: " if len(images) > 1 else ""
        reasons += [f"{prefix}{reason}" for reason in judged.reasons]
    return Verdict(STEP, tuple(reasons))


def _runs(images: list[_Release], environment: Environment, target: Target, ctx: Context) -> bool:
    running = {each.image: each for each in target.running(ctx.device.device.name, environment.name)}
    for each in images:
        here = running.get(each.image.name)
        made = identity(ctx.store, each.descriptor.digest)
        if here is None or not here.healthy or here.digest != each.descriptor.digest:
            return False
        if here.container not in {made.config, each.descriptor.digest}:
            return False
        if here.inputs != plan(each.image, environment, ctx).digest:
            return False
    return True


def _deploy(images: list[_Release], environment: Environment, target: Target, ctx: Context) -> Deployment:
    """Roll out the whole device, or put back whatever was replaced; record what came of it."""
    started = ctx.now()
    services = [_service(each, environment, ctx) for each in images]
    _recover(services, environment, target, ctx)
    switched: list[Service] = []
    running: list[Running] = []
    put_back: list[Running] = []
    failure = silent = ""
    try:
        running = _roll_out(services, switched, environment, target, ctx)
    except Unhealthy as error:
        failure = str(error)
        put_back, silent = _put_back(switched, environment, target, ctx)
    except BaseException:  # Ctrl-C, or the engine went away: leave the old version, then tell
        _put_back(switched, environment, target, ctx)
        raise
    facts = Deployment(
        environment=environment.name,
        target=environment.target,
        running=tuple(running),
        started=started,
        finished=ctx.now(),
        failure=failure,
        put_back=tuple(put_back),
    )
    _record(facts, images, environment, ctx)
    if silent:
        raise RollbackFailed(
            f"{environment.name}: the new version is unhealthy, and the previous one does not answer",
            why=f"{failure}\n{silent}",
            next="look at it now: docker ps -a --filter label=dev.autoclave.role=service",
        )
    if failure:
        answers = ", ".join(f"{each.image} {each.digest[:19]}… answers" for each in put_back)
        raise DeployFailed(
            f"{environment.name}: the new version did not become healthy",
            why=f"{failure}\nstill there: {answers or 'what ran before was not touched'}",
            next=f"mend it and deploy again; try it by hand: autoclave deploy {environment.name} -v",
        )
    for service in services:
        target.settle(service.image, ctx.device.device.name, environment.name)
    return facts


def _recover(services: list[Service], environment: Environment, target: Target, ctx: Context) -> None:
    """Bring back what a deployment that died had stopped, before anything else is touched."""
    for service in services:
        try:
            back = target.recover(service.image, ctx.device.device.name, environment.name)
        except Unhealthy as error:
            ctx.screen.warn(STEP, f"{service.image}: an earlier deployment died; what ran before: {error}")
            continue
        if back:
            ctx.screen.warn(STEP, f"{service.image}: an earlier deployment died; put back {back.digest}")


def _roll_out(
    services: list[Service], switched: list[Service], environment: Environment, target: Target, ctx: Context
) -> list[Running]:
    """Rehearse every image, then switch each over. Adds to `switched` whatever may have to be put back."""
    device, place = ctx.device.device.name, environment.name
    running: list[Running] = []

    def heard(text: str) -> None:
        ctx.screen.line(STEP, text)

    for service in services:
        ctx.screen.note(STEP, f"{service.image}: rehearsing {service.digest[:19]}… beside what runs")
        with _named(service):
            target.rehearse(service, device, place, heard)
    for service in services:
        switched.append(service)
        with _named(service):
            running.append(target.switch(service, device, place, heard))
        ctx.screen.note(STEP, f"{service.image}: {service.digest} runs and is healthy {running[-1].address}")
    return running


@contextmanager
def _named(service: Service) -> Iterator[None]:
    try:
        yield
    except Unhealthy as error:
        raise Unhealthy(f"{service.image} {service.digest[:19]}…: {error}") from error


def _put_back(
    switched: list[Service], environment: Environment, target: Target, ctx: Context
) -> tuple[list[Running], str]:
    """Bring back what was replaced, last first; return what answers again, and what does not."""
    answering: list[Running] = []
    silent: list[str] = []
    for service in reversed(switched):
        try:
            back = target.put_back(service.image, ctx.device.device.name, environment.name)
        except (Unhealthy, EngineError) as error:
            silent.append(f"{service.image}: the previous version: {error}")
            continue
        if back:
            answering.append(back)
            ctx.screen.note(STEP, f"{service.image}: put back {back.digest}, it answers")
    return answering, "\n".join(silent)


def _record(facts: Deployment, images: list[_Release], environment: Environment, ctx: Context) -> None:
    """Attach what came of the deployment to every image of the device."""
    verdict = Verdict(STEP, (facts.failure,) if facts.failure else ())
    for each in images:
        info = ctx.info(plan(each.image, environment, ctx), verdict, facts.started, facts.finished)
        ctx.attach(each.descriptor, DEPLOYMENT, predicates.deployment(info, facts))
    seconds = (facts.finished - facts.started).total_seconds()
    ctx.screen.verdict(verdict, seconds, f"{ctx.device.device.name} in {environment.name}")


def _service(each: _Release, environment: Environment, ctx: Context) -> Service:
    settings = each.image.service or ServiceSettings()
    return Service(
        image=each.image.name,
        image_id=loaded(each.descriptor, ctx).id,
        digest=each.descriptor.digest,
        port=settings.port,
        publish=environment.publish.get(each.image.name),
        health=settings.health,
        volumes=settings.volumes,
        environment=settings.environment,
        memory=in_bytes(settings.memory),
        cpus=settings.cpus,
        pids=settings.pids,
        start_timeout=settings.start_timeout,
        inputs=plan(each.image, environment, ctx).digest,
        labels=ctx.labels(),
    )


if __name__ == "__main__":
    from autoclave.cli import main

    sys.exit(main(["deploy", *sys.argv[1:]]))
