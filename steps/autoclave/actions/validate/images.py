"""What the Dockerfiles show: stages, ports, health checks, users, secrets and what is fetched."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from msgspec import Struct

from autoclave.actions.validate.findings import Findings, Level
from autoclave.device.dockerfile import outline
from autoclave.device.dockerfile.outline import Outline
from autoclave.device.dockerfile.sources import find_sources
from autoclave.device.dockerfile.stages import Stages, Target
from autoclave.device.schema import FILE, Device, Image, UnitTest, resolve_inside
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
_RESULTS = re.compile(r"/autoclave/results/([A-Za-z0-9_./-]+\.xml)")
_IN_CONTAINER = "/autoclave/results/"


class _Look(Struct, frozen=True):
    """One image that is looked at, with its place in messages."""

    image: Image
    index: int
    known: Stages
    released: Outline
    where: str

    def key(self, name: str) -> str:
        """Return the path of a key of this image."""
        return f"image[{self.index}].{name}"


def check_images(folder: Path, device: Device, policy: Policy, found: Findings) -> None:
    """Add what is wrong with the images and their tests."""
    for index, image in enumerate(device.image):
        look = None
        with found.part(f"image[{index}]"):
            look = _look_at(folder, image, index, found)
        if look:
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
            _check_stage(look, tests, found)
    for key, tests in _listed_tests(device):
        _check_copied(folder, key, tests, found)
        _check_reports(key, tests, found)


def _listed_tests(device: Device) -> list[tuple[str, UnitTest]]:
    listed = [("unit-test", device.unit_test)]
    listed += [(f"image[{at}].unit-test", image.unit_test) for at, image in enumerate(device.image)]
    return [(key, tests) for key, tests in listed if tests]


def _look_at(folder: Path, image: Image, index: int, found: Findings) -> _Look | None:
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
            return _Look(image, index, known, released, name)
    return None


def _describe_dockerfiles(context: Folder) -> str:
    like = [each for each in context.names() if re.search(r"(?i)dockerfile|containerfile", each)]
    files = sorted(each for each in like if context.kind(each) is Kind.FILE and "ignore" not in each.lower())
    return f"the context has: {', '.join(files)}" if files else "the context has no file of such a name"


def _check_stage(look: _Look, tests: UnitTest, found: Findings) -> None:
    """A test stage must start from the released one: otherwise it tests something else."""
    if not tests.stage:
        return
    key = look.key("unit-test.stage") if look.image.unit_test else "unit-test.stage"
    with found.part(key):
        stage = outline.outline(look.known, look.known.find_target(tests.stage))
        released, name = look.released, tests.stage
        if stage.index == released.index and not look.image.target:
            found.add(
                Level.ERROR,
                look.key("target"),
                f"image '{look.image.name}': without a target, its test stage '{name}' is what is released",
                why=f"'{name}' is the last stage of {look.where}",
                then=f"name the stage to release: {_suggest_target(look, stage)}",
            )
        elif stage.index == released.index:
            found.add(
                Level.ERROR,
                key,
                f"image '{look.image.name}': '{name}' is the released stage itself, and not one on top of it",
                why=f'target = "{look.image.target}" names it as well',
                then="leave out unit-test.stage to test the released image, or name a stage for the tests",
            )
        elif released.index not in stage.chain:
            base = look.known.stages[stage.chain[1]].name if len(stage.chain) > 1 else stage.base or "scratch"
            shown = released.name or f"number {released.index}, the last one"
            found.add(
                Level.ERROR,
                key,
                f"image '{look.image.name}': the test stage '{name}' does not start from the released stage",
                why=f"{look.where}, line {stage.line}: it starts from {base or 'another stage'}, and {shown} "
                "is released: the tests would not see what is released",
                then=f"begin it with FROM {released.name or 'release'} AS {name}"
                + ("" if released.name else ", and give the released stage that name and image.target"),
            )


def _suggest_target(look: _Look, stage: Outline) -> str:
    names = [look.known.stages[each].name for each in stage.chain[1:]]
    name = next(filter(None, names), "")
    return f'target = "{name}"' if name else "give it a name (FROM … AS release) and write it as image.target"


def _check_arguments(look: _Look, found: Findings) -> None:
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


def _check_sources(look: _Look, policy: Policy, found: Findings) -> None:
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


def _check_service(look: _Look, device: Device, found: Findings) -> None:
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


def _check_user(look: _Look, policy: Policy, found: Findings) -> None:
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


def _check_copied(folder: Path, key: str, tests: UnitTest, found: Findings) -> None:
    for item in tests.copy:
        with found.part(f"{key}.copy"):
            if not resolve_inside(folder, item).exists():
                raise SourceError(
                    f"'{item}', which {key}.copy names, does not exist",
                    why=f"it is looked for in {folder}",
                    next="fix the path, which is relative to autoclave.toml, or add the tests",
                )


def _check_reports(key: str, tests: UnitTest, found: Findings) -> None:
    """A report that the command names must be one that is read afterwards."""
    written = dict.fromkeys(_RESULTS.findall(" ".join(tests.command)))
    read = [*tests.junit, tests.coverage]
    reports = [name for name in written if name != tests.coverage]
    if not reports or any(fnmatchcase(name, pattern) for name in reports for pattern in read):
        return
    found.add(
        Level.GAP,
        f"{key}.junit",
        f"the test command writes {_IN_CONTAINER}{reports[0]}, but {key}.junit is {', '.join(tests.junit)}",
        why="what is not named there is not read, and tests without a report do not pass",
        then=f'write junit = ["{reports[0]}"], or let the command write {_IN_CONTAINER}{tests.junit[0]}',
    )
