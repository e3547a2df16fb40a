"""What the Dockerfiles show: stages, ports, health checks, users, secrets and what is fetched."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from autoclave.actions.validate.findings import Findings, Level
from autoclave.actions.validate.look import Look
from autoclave.actions.validate.tested import check_files, check_stage
from autoclave.device.dockerfile import outline
from autoclave.device.dockerfile.sources import find_sources
from autoclave.device.dockerfile.stages import Target
from autoclave.device.schema import FILE, Device, Image, resolve_inside
from autoclave.errors import SourceError
from autoclave.gates.build import is_root, refuse_secret, refused_secrets
from autoclave.model.platform import Platform
from autoclave.policy.schema import Policy
from autoclave.runtime.folder import Folder, Kind
from autoclave.runtime.toml import nearest

_LARGEST = 1 << 20  # bytes of a Dockerfile
_SHOWN = 10  # ports of a message
_PREDEFINED = re.compile(r"(?i:(http|https|ftp|no|all)_proxy)|BUILDKIT_\w+|SOURCE_DATE_EPOCH|BUILD(ER)?_\w+")
"""Arguments that no ARG has to declare."""


def check_images(folder: Path, device: Device, policy: Policy, found: Findings) -> None:
    """Add what is wrong with the images and their tests."""
    for index, image in enumerate(device.image):
        look = None
        with found.part(f"image[{index}]"):
            look = _look_at(folder, image, index, found)
        if look:
            with found.part(f"image[{index}].dockerfile"):
                _check_context(folder, look, found)
            _check_arguments(look, found)
            _check_sources(look, policy, found)
            _check_service(look, device, found)
            _check_user(look, policy, found)
        _check_secrets(image, index, policy, found)
        tests = device.tests_of(image)
        if tests is None:
            found.add(
                Level.GAP,
                f"image[{index}].unit-test",
                f"image '{image.name}' has no tests",
                why="an image that was not tested cannot be released",
                then=f"add [unit-test] with a command to {FILE}, or [image.unit-test] below this image",
            )
        elif look:
            check_stage(look, tests, found)
    check_files(folder, device, found)


def _look_at(folder: Path, image: Image, index: int, found: Findings) -> Look | None:
    device = Folder(folder)
    name = PurePosixPath(image.context, image.dockerfile).as_posix()
    key = f"image[{index}]"
    if not resolve_inside(folder, image.context).is_dir():
        missing = SourceError(
            f"image '{image.name}': the context '{image.context}' is not a folder",
            next=f"fix image.context in {FILE}",
        )
        found.add_error(missing, f"{key}.context")
        return None
    path = resolve_inside(folder, name)
    if not path.is_file():
        missing = SourceError(
            f"image '{image.name}': the Dockerfile '{name}' does not exist",
            why=_describe_dockerfiles(device.at(image.context) if image.context != "." else device),
            next=f"fix image.dockerfile in {FILE} (it is relative to image.context), or add the file",
        )
        found.add_error(missing, f"{key}.dockerfile")
        return None
    with found.part(f"{key}.dockerfile"):
        raw = Folder(folder.resolve()).read(path.relative_to(folder.resolve()).as_posix(), limit=_LARGEST)
        known = outline.read_stages(raw, name, image.args)
        with found.part(f"{key}.target"):
            released = outline.outline(known, known.find_target(image.target))
            return Look(image, index, known, released, name)
    return None


def _describe_dockerfiles(context: Folder) -> str:
    like = [each for each in context.names() if re.search(r"(?i)dockerfile|containerfile", each)]
    files = sorted(each for each in like if context.kind(each) is Kind.FILE and "ignore" not in each.lower())
    return f"the context has: {', '.join(files)}" if files else "the context has no file of such a name"


def _check_context(folder: Path, look: Look, found: Findings) -> None:
    """Find what the released stage copies and the context does not have, such as what was built outside."""
    context = resolve_inside(folder, look.image.context)
    for line, written in dict.fromkeys(look.released.copied):
        if _is_there(context, written.strip("/") or "."):
            continue
        missing = SourceError(
            f"{look.where}, line {line}: '{written}' is not in the context of image '{look.image.name}'",
            why=f"the context is {look.image.context}, as it is committed: what a command before the build "
            "writes there is no part of it",
            next="commit the file, or make it in a stage of the Dockerfile: out of what it is must be known",
        )
        found.add_error(missing, look.key("dockerfile"))


def _is_there(context: Path, written: str) -> bool:
    if not set(written) & set("*?["):
        return os.path.lexists(context / written)
    try:
        return next(context.glob(written), None) is not None
    except (ValueError, NotImplementedError, OSError):
        return True  # the builder itself says what is wrong with such a pattern


def _check_arguments(look: Look, found: Findings) -> None:
    declared = outline.declared_arguments(look.known)
    for name in look.image.args:
        if name not in declared and not _PREDEFINED.fullmatch(name):
            found.add(
                Level.NOTE,
                look.key("args"),
                f"image '{look.image.name}': {look.where} declares no ARG {name}",
                why="the builder ignores an argument that nothing declares",
                then=nearest(name, declared) if declared else f"add ARG {name}, or remove it from image.args",
            )


def _check_sources(look: Look, policy: Policy, found: Findings) -> None:
    """Find what cannot be resolved, and what is fetched without a checksum where the policy demands one."""
    target = Target(stage=look.image.target, args=look.image.args, platform=Platform("linux", "amd64"))
    with found.part(look.key("dockerfile")):
        raw = "".join(look.known.file.lines).encode("utf-8", "surrogateescape")
        for each in find_sources(raw, look.where, target, {}):
            if each.kind == "remote" and not each.checksum and policy.build.known_materials:
                found.add(
                    Level.GAP,
                    look.key("dockerfile"),
                    f"{look.where}, line {each.line}: the build fetches {each.name} without a checksum",
                    why="its content can change without a trace, which the policy forbids (known-materials)",
                    then="write ADD --checksum=sha256:…, or the commit for a repository of git",
                )


def _check_service(look: Look, device: Device, found: Findings) -> None:
    service = look.image.service
    if service is None:
        return
    exposed = look.released.ports
    further = {f"service.ports.{name}": int(each.partition("/")[0]) for name, each in service.ports.items()}
    for key, port in {"service.port": service.port, **further}.items():
        if port and exposed and not any(port in each for each in exposed):
            found.add(
                Level.NOTE,
                look.key(key),
                f"image '{look.image.name}': port {port} is not one that {look.where} exposes",
                why=f"it exposes {_describe_ports(exposed)}",
                then=f"fix image.{key}, or the EXPOSE",
            )
    if look.released.health or service.health_command:
        return
    unpublished = [
        each.name
        for each in device.environment
        if each.target == "docker" and look.image.name not in each.publish
    ]
    if service.health and not unpublished:
        return
    why = "without a HEALTHCHECK, only the request to image.service.health could show it"
    if service.health:
        why = f"the request to {service.health} needs a published port, and {', '.join(unpublished)} has none"
    is_certain = look.released.health is False and any(each.target == "docker" for each in device.environment)
    found.add(
        Level.GAP if is_certain else Level.NOTE,
        look.key("service.health"),
        f"image '{look.image.name}': nothing shows that it is healthy"
        + ("" if is_certain else f", unless its base {look.released.base or 'image'} has a HEALTHCHECK"),
        why=why,
        then=f"add publish = {{ {look.image.name} = 18080 }} to the environment, or a HEALTHCHECK to it"
        if service.health
        else 'add health = "/health" to [image.service], or a HEALTHCHECK to the image',
    )


def _describe_ports(exposed: tuple[range, ...]) -> str:
    listed = [f"{each[0]}" if len(each) == 1 else f"{each[0]}-{each[-1]}" for each in exposed if each]
    return ", ".join(listed[:_SHOWN]) + (" and more" if len(listed) > _SHOWN else "")


def _check_user(look: Look, policy: Policy, found: Findings) -> None:
    user, base = look.released.user, look.released.base
    if not policy.build.non_root or "$" in (user or "") or (user is not None and not is_root(user)):
        return
    is_certain = user is not None or not base
    shown = f"USER {user}" if user else "no USER instruction"
    found.add(
        Level.GAP if is_certain else Level.NOTE,
        look.key("target"),
        f"image '{look.image.name}' runs as root ({shown})"
        + ("" if is_certain else f", unless its base {base} names another user"),
        why="the policy forbids it (build.non-root)",
        then=f"add 'USER 10001' at the end of the released stage of {look.where}",
    )


def _check_secrets(image: Image, index: int, policy: Policy, found: Findings) -> None:
    for name in refused_secrets((each.env for each in image.secrets), policy):
        found.add_error(refuse_secret(image.name, name), f"image[{index}].secrets")
