"""Build the device's images and record how each was built."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from msgspec import Struct, structs

from autoclave.context import Context
from autoclave.device import dockerfile
from autoclave.device.files import digest_of_files
from autoclave.device.schema import Image, resolve_inside
from autoclave.engines.base import BuildRequest
from autoclave.errors import ConfigError, EngineError, SourceError
from autoclave.evidence import predicates
from autoclave.evidence.statement import PROVENANCE
from autoclave.gates import build as gate
from autoclave.model.digest import Digest, digest_of
from autoclave.model.facts import BuildFacts, Material
from autoclave.model.plan import StepPlan
from autoclave.runtime.options import SourceOptions, option
from autoclave.runtime.variables import is_reserved
from autoclave.store.archive import read as archive
from autoclave.store.image import read_identity
from autoclave.store.oci import Descriptor
from autoclave.store.registry.address import registry_of
from autoclave.store.registry.auth import find_credentials
from autoclave.store.users import resolve_user

STEP = "build"


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
    return _plan(image, request, _materials(image, request, ctx), ctx)


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
    found = {name: find_credentials(registry_of(name), ctx.shell) for name in names}
    logins = {registry_of(name): each for name, each in found.items() if each and each.password}
    return structs.replace(
        request,
        cache_from=opts.cache_from,
        inline_cache=bool(opts.cache_to),
        logins={host: (each.user, each.password) for host, each in logins.items()},
    )


def _plan(image: Image, request: BuildRequest, materials: list[Material], ctx: Context) -> StepPlan:
    return StepPlan(
        step=STEP,
        image=image.name,
        commands=((ctx.engine.name, *ctx.engine.build_arguments(request)),),
        tools={"builder": ctx.engine.builder()},
        inputs={each.name: "+".join(sorted(each.digest.values())) for each in materials}
        | {"made from": "work tree" if ctx.source.is_worktree else "commit"}
        | ({"proxy": "of the client"} if request.client_proxy else {})
        | ({"cache": "kept in the image"} if request.inline_cache else {}),
    )


def files_digest(image: Image, ctx: Context) -> str:
    """Return one digest over sources and arguments: all that a stage is made of besides its bases."""
    files = _sources(image, request_for(image, ctx), ctx)
    return digest_of(repr([(each.name, each.digest) for each in files] + sorted(image.args.items())).encode())


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
    refused = gate.refused_secrets((secret.env for secret in image.secrets), ctx.policy)
    if not refused:
        return
    if is_reserved(refused[0]):
        raise ConfigError(
            f"the image '{image.name}' may not have ${refused[0]} as a build secret",
            why="variables of CI hosts, registries, clouds and Autoclave's own never enter a build, "
            "whoever allows them",
            next="make a token for this build alone, put it into a variable of its own, and allow that",
        )
    raise ConfigError(
        f"the image '{image.name}' may not have ${refused[0]} as a build secret",
        why="the policy in force does not allow it: the repository does not decide what leaves the job",
        next=f'add [build] secrets = ["{refused[0]}"] to the organisation\'s policy (--policy)',
    )


def _build(image: Image, opts: Options, ctx: Context) -> BuiltImage:
    request = _add_caches(request_for(image, ctx), opts, ctx)
    materials = _materials(image, request, ctx)
    held = None if opts.again else _find_previous(image, _plan(image, request, materials, ctx), ctx)
    if held:
        ctx.built[image.name] = held.descriptor
        ctx.screen.skip(STEP, f"{image.name} {held.descriptor.digest}: nothing it is built from has changed")
        return held
    ctx.screen.begin(STEP, image.name)
    if ctx.source.is_worktree:
        ctx.screen.warn(STEP, "built from the work tree, not from a commit: the record says so")
    started = ctx.now()
    if _pull_bases(image, request, ctx):
        materials = _materials(image, request, ctx)
    image_id = ctx.engine.build(request, lambda text: ctx.screen.line(STEP, text))
    _refuse_changed(materials, _materials(image, request, ctx))
    descriptor = archive.read_archive(ctx.engine.save(image_id), ctx.store, image_id=image_id)
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
        materials=tuple(materials),
        started=started,
        finished=ctx.now(),
    )
    verdict = gate.judge(facts, ctx.policy)
    info = ctx.info(_plan(image, request, materials, ctx), verdict, facts.started, facts.finished)
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


def _pull_bases(image: Image, request: BuildRequest, ctx: Context) -> bool:
    """Pull base images that the engine does not have: BuildKit would not report which ones it pulled."""
    text = _read_dockerfile(request, ctx).decode("utf-8", "replace")
    missing = [base for base in dockerfile.bases(text, image.args) if ctx.engine.image(base) is None]
    for base in missing:
        ctx.engine.pull(base, lambda text: ctx.screen.line(STEP, text))
    return bool(missing)


def _refuse_changed(before: list[Material], after: list[Material]) -> None:
    now = {each.name: each for each in after}
    changed = [each.name for each in before if now.get(each.name) != each]
    if changed:
        raise SourceError(
            f"the sources of the image changed while it was built: {', '.join(changed)}",
            why="nobody could say which version the image contains",
            next="build again, and do not change the files meanwhile",
        )


def _materials(image: Image, request: BuildRequest, ctx: Context) -> list[Material]:
    """Return what an image is built from: its sources, and base images."""
    found = _sources(image, request, ctx)
    text = _read_dockerfile(request, ctx)
    for base in dockerfile.bases(text.decode("utf-8", "replace"), image.args):
        known = ctx.engine.image(base)
        pulled = known.repo_digests[0] if known and known.repo_digests else ""
        digest = known.id if known else "sha256:"
        found.append(
            Material(name=f"base {base}", digest=_bare(digest), uri=pulled or f"docker-image:{base}")
        )
    return found


def _sources(image: Image, request: BuildRequest, ctx: Context) -> list[Material]:
    """Return the commit and its tree, which name every file; of a work tree, Dockerfile and context."""
    if not ctx.source.is_worktree:
        return [Material(name="source", digest={"gitCommit": ctx.source.commit, "gitTree": ctx.source.tree})]
    files = ctx.engine.context_files(request)
    _refuse_store_in_context(files, ctx)
    context = digest_of_files(
        request.folder / image.context, (each for each in files if ".git" not in each.parts[:1])
    )
    found = [
        Material(name="Dockerfile", digest=_bare(digest_of(_read_dockerfile(request, ctx)))),
        Material(name="context", digest=_bare(context)),
    ]
    if ctx.source.commit:
        found.append(Material(name="based on", digest={"gitCommit": ctx.source.commit}))
    return found


def _refuse_store_in_context(files: list[Path], ctx: Context) -> None:
    if any(".autoclave" in each.parts for each in files):
        raise SourceError(
            "the build context contains the folder .autoclave, the store",
            why="it would be sent to the engine with every build, and change the image",
            next=f"add the line '.autoclave' to {ctx.source.folder / '.dockerignore'}",
        )


def _read_dockerfile(request: BuildRequest, ctx: Context) -> bytes:
    path = resolve_inside(request.folder, str(request.dockerfile))
    if not path.is_file():
        raise SourceError(
            f"the Dockerfile {path} is not a file", next="fix image.dockerfile, or add the file"
        )
    return path.read_bytes()


def _bare(digest: str) -> dict[str, str]:
    return {"sha256": Digest(digest).hex}


def _utc(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


if __name__ == "__main__":
    from autoclave.cli.main import main

    sys.exit(main(["build", *sys.argv[1:]]))
