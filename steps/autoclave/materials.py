"""Out of what is an image made, by digest: its sources, images of others, and what the build fetches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

from autoclave.device.dockerfile import sources
from autoclave.device.dockerfile.reading import LARGEST
from autoclave.device.dockerfile.sources import BaseImage, Source, Target
from autoclave.device.files import digest_of_all, digests_of_files
from autoclave.device.schema import resolve_inside
from autoclave.device.source import Source as Tree
from autoclave.engines.base import BuildRequest, Engine, ImageState, Used
from autoclave.errors import EngineError, SourceError
from autoclave.model.digest import Digest, digest_of
from autoclave.model.facts import Material
from autoclave.model.platform import Platform


class Inputs(Struct, frozen=True, kw_only=True):
    """What an image is made of. `files` are the digests of a work tree's context, by path.

    `is_fixed` is whether building again uses the same: what is fetched without a checksum can change
    without a trace. `same_as` are the digests under which a builder may know an image or a fetched file.
    """

    materials: tuple[Material, ...]
    same_as: Mapping[str, frozenset[str]] = {}
    files: Mapping[str, str] = {}
    is_fixed: bool = True


def collect(request: BuildRequest, tree: Tree, engine: Engine) -> Inputs:
    """Return what an image is made of now; images that the engine does not have yet have no digest.

    Raises SourceError for what cannot be resolved, naming file and line.
    """
    own, files = _own_files(request, tree, engine)
    found, images = _resolve(request, engine)
    outside = [_describe(each, images.get(each.name), request) for each in found]
    fixed = all(each.kind != "remote" or each.checksum for each in found)
    same_as: dict[str, frozenset[str]] = {}
    for each in found:
        name = _normalise(each)
        same_as[name] = same_as.get(name, frozenset()) | _digests(each, images.get(each.name))
    return Inputs(materials=(*own, *outside), same_as=same_as, files=files, is_fixed=fixed)


def contradict(inputs: Inputs, used: Iterable[Used]) -> tuple[str, ...]:
    """Return in which way the builder says that it used something else than the record names."""
    found: list[str] = []
    for each in used:
        name = _full_name(each.name) if each.is_image else _without_login(each.name)
        known = inputs.same_as.get(name)
        value = each.digest.partition(":")[2]
        if known is None:
            # Addresses of git are written in several ways, and BuildKit writes the one that it used.
            if each.is_image or ".git" not in name:
                found.append(f"{each.name}, which is not found in the Dockerfile")
            continue
        # Digests of one length are of one kind: a commit is called sha1 or gitCommit.
        same = {one.partition(":")[2] for one in known}
        same = {one for one in same if len(one) == len(value)}
        if same and value not in same:
            found.append(f"{each.name} was {each.digest}, and not {' or '.join(sorted(known))}")
    return tuple(found)


def collect_own(request: BuildRequest, tree: Tree, engine: Engine) -> list[Material]:
    """Return the sources of the device alone."""
    return _own_files(request, tree, engine)[0]


def collect_outside(request: BuildRequest, engine: Engine, *, without: str) -> Inputs:
    """Return what comes from outside alone, without one image."""
    found, images = _resolve(request, engine)
    outside = [_describe(each, images.get(each.name), request) for each in found if each.name != without]
    fixed = all(each.kind != "remote" or each.checksum for each in found)
    return Inputs(materials=tuple(outside), is_fixed=fixed)


def pull(request: BuildRequest, engine: Engine, line: Callable[[str], None], *, without: str = "") -> bool:
    """Pull the images that the engine does not have, without one; return whether there were any.

    BuildKit would not report which ones it pulled, and what a base brings along (ONBUILD) is known only then.
    """
    pulled: set[str] = set()
    ours = {without}
    while True:
        found, images = _resolve(request, engine)
        missing = [each.name for each in found if each.kind != "remote" and images[each.name] is None]
        missing = [each for each in dict.fromkeys(missing) if each not in pulled | ours]
        for each in missing:
            engine.pull(each, line)
            if engine.image(each) is None:
                raise EngineError(f"the engine does not have the image {each} that was just pulled")
        pulled.update(missing)
        if not missing:
            return bool(pulled)


def read_dockerfile(request: BuildRequest) -> bytes:
    """Return the Dockerfile that is built. Raises SourceError."""
    if request.text:
        return request.text
    path = resolve_inside(request.folder, str(request.dockerfile))
    if not path.is_file():
        raise SourceError(
            f"the Dockerfile {path} is not a file", next="fix image.dockerfile, or add the file"
        )
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


def refuse_changed(before: Inputs, after: Inputs) -> None:
    """Raise SourceError when what an image is made of changed while it was built; name the files."""
    now = {each.name: each for each in after.materials}
    changed = [each.name for each in before.materials if now.get(each.name) != each]
    changed += [each for each in now if each not in {one.name for one in before.materials}]
    if not changed:
        return
    paths = sorted(
        name for name in before.files.keys() | after.files if before.files.get(name) != after.files.get(name)
    )
    shown = ", ".join(paths[:_SHOWN]) + (f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else "")
    raise SourceError(
        f"the sources of the image changed while it was built: {', '.join(changed)}"
        + (f" ({shown})" if paths else ""),
        why="nobody could say which version the image contains",
        next="build again, and do not change the files meanwhile; what a job writes, such as a log, goes "
        "elsewhere or into .dockerignore",
    )


_SHOWN = 5


def _resolve(
    request: BuildRequest, engine: Engine
) -> tuple[tuple[Source, ...], dict[str, ImageState | None]]:
    """Return what comes from outside, and each image as the engine has it.

    A base may bring instructions that use more images: it is looked at again until nothing is new.
    """
    raw, name = read_dockerfile(request), request.dockerfile.as_posix()
    target = _target(request, engine)
    images: dict[str, ImageState | None] = {}
    while True:
        known = {
            name: BaseImage(tuple(each.on_build), each.environment)
            for name, each in images.items()
            if each is not None
        }
        found = sources.find_sources(raw, name, target, known)
        new = {each.name for each in found if each.kind != "remote"} - images.keys()
        if not new:
            return found, images
        images |= {each: engine.image(each) for each in new}


def _target(request: BuildRequest, engine: Engine) -> Target:
    written = engine.platform()
    platform = Platform.parse(written)
    if platform is None:
        raise EngineError(
            f"'{written[:80]}' is no platform",
            why="DOCKER_DEFAULT_PLATFORM, or else the engine, names what images are built for",
            next="unset it, or write it as linux/amd64",
        )
    is_buildkit = engine.builder() == "buildkit"
    args = dict(request.args)
    if is_buildkit and request.source_date_epoch is not None:
        args = {"SOURCE_DATE_EPOCH": str(request.source_date_epoch)} | args
    return Target(stage=request.target, args=args, platform=platform, buildkit=is_buildkit)


def _describe(source: Source, image: ImageState | None, request: BuildRequest) -> Material:
    if source.kind == "remote":
        address = _without_login(source.name)
        algorithm, _, value = source.checksum.partition(":")
        return Material(name=f"remote {address}", digest={algorithm: value} if value else {}, uri=address)
    pin = source.name.partition("@")[2]
    if pin:
        return Material(name=f"{source.kind} {source.name}", digest=_bare(pin), uri=source.name)
    if image is None:
        return Material(
            name=f"{source.kind} {source.name}", digest={"sha256": ""}, uri=f"docker-image:{source.name}"
        )
    has = Platform.parse(image.platform) if image.platform else None
    if has and not source.platform.runs(has):
        raise SourceError(
            f"{request.dockerfile}, line {source.line}: the engine has {source.name} for {has}, "
            f"and the build needs it for {source.platform}",
            why="the builder would fetch another image than the one that the record names",
            next=f"pin it as {source.name}@sha256:…, or run: "
            f"docker pull --platform {source.platform} {source.name}",
        )
    return Material(
        name=f"{source.kind} {source.name}",
        digest=_bare(image.id),
        uri=_pulled_as(source.name, image) or f"docker-image:{source.name}",
    )


def _pulled_as(name: str, image: ImageState) -> str:
    """Return the reference by digest under which an image was pulled: of this name, else of another."""
    repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    same = [each for each in image.repo_digests if each.partition("@")[0] == repository]
    return next(iter([*same, *image.repo_digests]), "")


def _own_files(request: BuildRequest, tree: Tree, engine: Engine) -> tuple[list[Material], dict[str, str]]:
    """Return the commit and its tree, which name every file; of a work tree, Dockerfile and context."""
    if not tree.is_worktree:
        return [Material(name="source", digest={"gitCommit": tree.commit, "gitTree": tree.tree})], {}
    listed = engine.context_files(request)
    if any(".autoclave" in each.parts for each in listed):
        raise SourceError(
            "the build context contains the folder .autoclave, the store",
            why="it would be sent to the engine with every build, and change the image",
            next=f"add the line '.autoclave' to {tree.folder / '.dockerignore'}",
        )
    files = digests_of_files(request.folder / request.context, listed)
    found = [
        Material(name="Dockerfile", digest=_bare(digest_of(read_dockerfile(request)))),
        Material(name="context", digest=_bare(digest_of_all(files))),
    ]
    if tree.commit:
        found.append(Material(name="based on", digest={"gitCommit": tree.commit}))
    return found, files


def _normalise(source: Source) -> str:
    return _without_login(source.name) if source.kind == "remote" else _full_name(source.name)


def _full_name(name: str) -> str:
    """Return an image's name with registry and tag; without the digest, when there is a tag before it."""
    name, _, digest = name.partition("@")
    host, slash, rest = name.partition("/")
    if not slash or not (set(host) & {".", ":"} or host == "localhost"):
        host, rest = "docker.io", name
    if host == "docker.io" and "/" not in rest:
        rest = f"library/{rest}"
    if ":" in rest.rpartition("/")[2]:
        return f"{host}/{rest}"
    return f"{host}/{rest}@{digest}" if digest else f"{host}/{rest}:latest"


def _digests(source: Source, image: ImageState | None) -> frozenset[str]:
    """Return the digests under which a builder may know a source.

    Docker's builder names an image of its own store by the chain of its layers (builder-next,
    adapters/containerimage/pull.go), and one that it pulled by its manifest or index.
    """
    found = {source.checksum, source.name.partition("@")[2] if source.kind != "remote" else ""}
    if image is not None:
        found |= {image.id, *(each.partition("@")[2] for each in image.repo_digests)}
        chain = ""
        for layer in image.layers:
            chain = digest_of(f"{chain} {layer}".encode()) if chain else layer
        found.add(chain)
    return frozenset(found - {""})


def _without_login(address: str) -> str:
    """Return an address without user and password."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host)) if parts.netloc else address


def _bare(digest: str) -> dict[str, str]:
    return {"sha256": Digest(digest).hex}
