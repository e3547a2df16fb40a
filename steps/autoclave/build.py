"""Build the device's images and record how each was built."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from msgspec import Struct, structs

from autoclave import materials
from autoclave.console.progress import Transfer
from autoclave.context import Context
from autoclave.device.dockerfile.replacement import replace_stage
from autoclave.device.schema import Image
from autoclave.engines.base import BuildRequest
from autoclave.errors import ConfigError, EngineError
from autoclave.evidence import predicates
from autoclave.evidence.statement import PROVENANCE
from autoclave.gates import build as gate
from autoclave.materials import Inputs
from autoclave.model.digest import digest_of
from autoclave.model.facts import BuildFacts
from autoclave.model.plan import StepPlan
from autoclave.runtime.options import SourceOptions, option
from autoclave.store.archive import read as archive
from autoclave.store.image import read_identity
from autoclave.store.oci import Descriptor
from autoclave.store.registry.address import registry_of
from autoclave.store.registry.auth import find_credentials
from autoclave.store.users import resolve_user

STEP = "build"
RELEASED = "autoclave-released"
"""What the names of released images in an engine begin with."""


class Options(SourceOptions, frozen=True):
    """Options of `autoclave build`."""

    cache_from: Annotated[
        tuple[str, ...], option("image in a registry whose layers the builder may reuse (needs BuildKit)")
    ] = ()
    cache_to: Annotated[str, option("keep the layers for later builds in this image (needs BuildKit)")] = ""


class BuiltImage(Struct, frozen=True):
    """An image of the device and its digest in the store."""

    image: Image
    descriptor: Descriptor


def run(opts: Options, ctx: Context) -> list[BuiltImage]:
    """Build every chosen image, or use the one in the store when its sources have not changed."""
    _ = ctx.signer  # a key that cannot be used is an error before anything is built
    return [_build(image, opts, ctx) for image in ctx.images(opts.image)]


def make_plans(opts: Options, ctx: Context) -> list[StepPlan]:
    """Return what the step would run, for each image."""
    return [plan(image, ctx) for image in ctx.images(opts.image)]


def plan(image: Image, ctx: Context) -> StepPlan:
    """Return what building an image would run, and all of its inputs."""
    request = request_for(image, ctx)
    return _plan(image, request, materials.collect(request, ctx.source, ctx.engine), ctx)


def _add_caches(request: BuildRequest, opts: Options, ctx: Context) -> BuildRequest:
    """Return the request with the caches that the options name. Raises ConfigError without BuildKit."""
    names = [*opts.cache_from, *([opts.cache_to] if opts.cache_to else [])]
    if not names:
        return request
    if ctx.engine.builder() != "buildkit":
        raise ConfigError(
            "the classic builder has no cache in a registry",
            why="only BuildKit can reuse single layers of an image",
            next=f"{ctx.engine.buildkit_hint}, or leave the cache out",
        )
    found = {
        name: find_credentials(f"{registry_of(name)}/{name.partition('/')[2].rpartition(':')[0]}", ctx.shell)
        for name in names
    }
    logins = {registry_of(name): each for name, each in found.items() if each and each.password}
    return structs.replace(
        request,
        cache_from=opts.cache_from,
        inline_cache=bool(opts.cache_to),
        logins={host: (each.user, each.password) for host, each in logins.items()},
    )


def _plan(image: Image, request: BuildRequest, inputs: Inputs, ctx: Context) -> StepPlan:
    return StepPlan(
        step=STEP,
        image=image.name,
        commands=((ctx.engine.name, *ctx.engine.build_arguments(request)),),
        tools={"builder": ctx.engine.builder()},
        inputs={each.name: "+".join(sorted(each.digest.values())) for each in inputs.materials}
        | {"made from": "work tree" if ctx.source.is_worktree else "commit"}
        | ({"proxy": "of the client"} if request.client_proxy else {})
        | ({"cache": "kept in the image"} if request.inline_cache else {}),
    )


def files_digest(image: Image, ctx: Context) -> str:
    """Return one digest over sources and arguments: all that an image is made of besides images of others."""
    request = request_for(image, ctx)
    own = materials.collect_own(request, ctx.source, ctx.engine)
    return digest_of(repr([(each.name, each.digest) for each in own] + sorted(image.args.items())).encode())


def stage_digest(image: Image, stage: str, ctx: Context) -> str:
    """Return one digest over all that a stage on top of an image is made of, besides that image.

    Another one each time when something is fetched without a checksum.
    """
    request = stage_on(RELEASED, image, stage, ctx)
    inputs = materials.collect_outside(request, ctx.engine, without=RELEASED)
    outside = [(each.name, each.digest) for each in inputs.materials]
    more = "" if inputs.is_fixed else ctx.run_id
    return digest_of(repr((files_digest(image, ctx), outside, more)).encode())


def pull_images(image: Image, stage: str, ctx: Context) -> None:
    """Pull the images of others that a stage on top of an image uses, so that their digests are known."""
    if stage:
        request = stage_on(RELEASED, image, stage, ctx)
        materials.pull(request, ctx.engine, lambda text: ctx.screen.line(STEP, text), without=RELEASED)


def stage_on(released: str, image: Image, stage: str, ctx: Context) -> BuildRequest:
    """Return the request for a stage, with the released image in place of its own stage.

    A machine that did not build the image has nothing in its build cache, and would build that stage
    again, with other layers.
    """
    request = request_for(image, ctx, stage=stage)
    raw = materials.read_dockerfile(request)
    changed = replace_stage(raw, request.dockerfile.as_posix(), image.target, released)
    # Without a name there is nothing to replace: the gate compares layers in any case.
    return structs.replace(request, text=changed or b"")


def request_for(image: Image, ctx: Context, *, stage: str = "") -> BuildRequest:
    """Return the build request of an image, or of another stage of its Dockerfile."""
    _refuse_secrets(image, ctx)
    commit, time = ctx.source.commit, ctx.source.time
    labels = {
        "org.opencontainers.image.title": f"{ctx.device.device.name}/{image.name}",
        "org.opencontainers.image.version": ctx.device.device.version,
    }
    if commit:
        labels["org.opencontainers.image.revision"] = commit
        labels["org.opencontainers.image.created"] = _utc(time)
    return BuildRequest(
        folder=ctx.source.folder,
        context=Path(image.context),
        dockerfile=Path(image.context) / image.dockerfile,
        target=stage or image.target,
        args=image.args,
        labels={} if stage else labels,
        secrets={secret.id: secret.env for secret in image.secrets},
        client_proxy=image.client_proxy,
        source_date_epoch=time or None,
    )


def _refuse_secrets(image: Image, ctx: Context) -> None:
    """Refuse secrets that are not allowed before a build could read them."""
    for name in gate.refused_secrets((secret.env for secret in image.secrets), ctx.policy):
        raise gate.refuse_secret(image.name, name)


def _build(image: Image, opts: Options, ctx: Context) -> BuiltImage:
    request = _add_caches(request_for(image, ctx), opts, ctx)
    inputs = materials.collect(request, ctx.source, ctx.engine)
    held = None
    if inputs.is_fixed and not opts.again:
        held = _find_previous(image, _plan(image, request, inputs, ctx), ctx)
    if held:
        ctx.built[image.name] = held.descriptor
        ctx.screen.skip(STEP, f"{image.name} {held.descriptor.digest}: nothing it is built from has changed")
        return held
    ctx.screen.begin(STEP, image.name)
    if ctx.source.is_worktree:
        ctx.screen.warn(STEP, "built from the work tree, not from a commit: the record says so")
    started = ctx.now()
    if materials.pull(request, ctx.engine, lambda text: ctx.screen.line(STEP, text)):
        inputs = materials.collect(request, ctx.source, ctx.engine)
    image_id = ctx.engine.build(request, lambda text: ctx.screen.line(STEP, text))
    materials.refuse_changed(inputs, materials.collect(request, ctx.source, ctx.engine))
    built = ctx.engine.image(image_id)
    moved = Transfer(ctx.screen, STEP, f"{image.name} into the store", built.size if built else 0)
    descriptor = archive.read_archive(moved.count(ctx.engine.save(image_id)), ctx.store, image_id=image_id)
    ctx.store.tag(image.name, descriptor)
    ctx.built[image.name] = descriptor
    made = read_identity(ctx.store, descriptor.digest)
    facts = BuildFacts(
        commit=ctx.source.commit,
        tree=ctx.source.tree,
        is_worktree=ctx.source.is_worktree,
        user=made.user,
        secrets=tuple(sorted({secret.env for secret in image.secrets})),
        uid=resolve_user(ctx.store, descriptor.digest),
        image_id=image_id,
        config=made.config,
        builder=ctx.engine.builder(),
        engine=ctx.engine.info().name,
        materials=inputs.materials,
        contradicted=materials.contradict(inputs, ctx.engine.used(image_id) or ()),
        started=started,
        finished=ctx.now(),
    )
    verdict = gate.judge(facts, ctx.policy)
    info = ctx.info(_plan(image, request, inputs, ctx), verdict, facts.started, facts.finished)
    ctx.attach(descriptor, PROVENANCE, predicates.provenance(info, facts, _parameters(image, request, ctx)))
    if opts.cache_to:
        _keep_cache(image_id, opts.cache_to, request, ctx)
    what = f"{image.name} {descriptor.digest}"
    ctx.screen.verdict(verdict, (facts.finished - started).total_seconds(), what)
    ctx.require(verdict, repeat=f"autoclave build --image {image.name} -v")
    return BuiltImage(image, descriptor)


def _find_previous(image: Image, planned: StepPlan, ctx: Context) -> BuiltImage | None:
    """Return the image built last when its verified record says that it was built by exactly this plan."""
    if ctx.store.find(image.name) is None:
        return None
    descriptor = ctx.subject(image)
    record = ctx.record(descriptor, PROVENANCE, planned)
    if record is None:
        return None
    facts = predicates.facts_of(record.statement, BuildFacts)
    if facts.config != read_identity(ctx.store, descriptor.digest).config:
        return None
    return BuiltImage(image, descriptor) if gate.judge(facts, ctx.policy).passed else None


def _keep_cache(image_id: str, name: str, request: BuildRequest, ctx: Context) -> None:
    """Push the image as a cache. Without it later builds are slower, but no verdict changes."""
    try:
        ctx.engine.push(image_id, name, request.logins.get(registry_of(name)))
        ctx.screen.note(STEP, f"layers kept for later builds in {name}")
    except EngineError as error:
        ctx.screen.warn(STEP, f"layers not kept in {name}: {error.why or error.what}")


def _parameters(image: Image, request: BuildRequest, ctx: Context) -> dict[str, object]:
    """Return the build parameters of the device file, for the record."""
    found: dict[str, object] = {
        "device": ctx.device.device.name,
        "image": image.name,
        "dockerfile": image.dockerfile,
        "context": image.context,
        "target": image.target,
        "args": image.args,
        "secrets": [secret.id for secret in image.secrets],
    }
    found |= {"clientProxy": True} if image.client_proxy else {}
    return found | ({"cacheFrom": list(request.cache_from)} if request.cache_from else {})


def _utc(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


if __name__ == "__main__":
    from autoclave.cli.main import main

    sys.exit(main(["build", *sys.argv[1:]]))
