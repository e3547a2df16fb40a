"""What the device file says of one image: the project that it is of, its port, health and tests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, structs

from autoclave.actions.starter import beside, contexts, snippet, stacks, texts
from autoclave.actions.starter.beside import Beside
from autoclave.actions.starter.facts import ComposeService, Project, Remark, Tests, found, left
from autoclave.actions.starter.images import Image, find_test_stage
from autoclave.actions.starter.kubernetes import Cluster
from autoclave.actions.starter.repository import Repository, below, is_plain, join

_PORT = re.compile(r"[1-9][0-9]{0,4}/udp")
_PROTOCOLS = {
    104: "DICOM", 2762: "DICOM over TLS", 4242: "DICOM", 11112: "DICOM", 2575: "HL7 over MLLP", 502: "Modbus",
    1883: "MQTT", 8883: "MQTT over TLS", 22: "SSH", 5432: "PostgreSQL", 3306: "MySQL", 6379: "Redis",
    27017: "MongoDB", 5672: "AMQP", 50051: "gRPC",
}  # fmt: skip
"""Ports at which no HTTP is spoken (DICOM PS3.8, HL7 MLLP, and IANA's registry)."""


_FITTING = "make the command of unit-test fit the stage '{}' that {} has"


class Findings(Struct, frozen=True, kw_only=True):
    """All that was found in a repository."""

    repository: Repository
    images: Sequence[Image]
    projects: Sequence[Project] = ()
    services: Sequence[ComposeService] = ()
    cluster: Cluster = Cluster()
    remarks: tuple[Remark, ...] = ()


class Part(Struct, frozen=True, kw_only=True):
    """One image of the draft. `health` is a path or `tcp`; `published` a port of this machine, 0 for none.

    `ports` are those besides the first by name, `arguments` what takes the place of the image's own ones,
    `secrets` names of variables that are not taken over.

    `whole_context` is whether its build copies the whole context; `ignore_file` the one that it has for
    itself (`NAME.dockerignore`), which the builder takes instead of the context's.
    """

    image: Image
    project: Project | None
    tests: Tests | None
    port: int = 0
    ports: Mapping[str, str] = {}
    health: str = ""
    health_command: tuple[str, ...] = ()
    has_health: bool = False
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    secrets: tuple[str, ...] = ()
    volumes: Mapping[str, str] = {}
    stage: str = ""
    stage_lines: tuple[str, ...] = ()
    beside: tuple[Beside, ...] = ()
    published: int = 0
    whole_context: bool = False
    ignore_file: str = ""
    remarks: tuple[Remark, ...] = ()


def make(image: Image, seen: Findings) -> Part:
    """Return what the device file will say of one image."""
    repository = seen.repository
    project, words = _project(image, seen.projects)
    own_ignore = f"{image.file.path}.dockerignore"
    needed = image.file.needed(image.stage)
    chain = image.file.chain(image.stage)
    remarks = list(_remarks(image))
    remarks += contexts.missing(image.file.path, needed, image.context, repository, seen.projects)
    remarks += project.remarks if project else (left("no tests were found", image.name),)
    port = _port(image, project)
    has_health = any(each.has_health for each in chain)
    command = () if has_health else _health_command(image)
    health = "" if has_health or command else _health(image, project, port, seen.cluster)
    if not (has_health or command or health):
        remarks.append(
            left('no health check: write HEALTHCHECK into the Dockerfile, or health = "/PATH"', image.name)
        )
    part = Part(
        image=image,
        project=project,
        tests=project.tests if project else None,
        port=port,
        ports=_more_ports(image, port),
        health=health,
        health_command=command,
        has_health=has_health,
        arguments=image.services[0].command if len(image.services) == 1 else (),
        volumes=_volumes(image),
        secrets=tuple(dict.fromkeys(name for each in image.services for name in each.hidden)),
        environment=next((each.environment for each in image.services), {}),
        beside=beside.find(image, seen.images, seen.services),
        whole_context=contexts.copies_everything(needed),
        ignore_file=own_ignore if repository.has(own_ignore) else "",
        remarks=tuple(dict.fromkeys(remarks)),
    )
    return _with_stage(part, words)


def _project(image: Image, projects: Sequence[Project]) -> tuple[Project | None, tuple[str, ...]]:
    """Return the project that an image is of, and the words in names of its stack's base images."""
    home = image.file.path.rpartition("/")[0] or "."
    bases = stacks.bases()
    taken = {join(image.context, each) for stage in image.file.needed(image.stage) for each in stage.sources}
    ranked: list[tuple[float, Project]] = []
    for each in projects:
        above = each.folder in {home, image.context} or below(home, each.folder)
        near = above or below(image.context, each.folder) or below(each.folder, image.context)
        if not near or each.stack == "shell":
            continue
        score = 3.0 * (each.folder == home) + 2.0 * (each.folder == image.context)
        score += 3.0 * (each.source in taken) + 2.0 * (each.folder in taken)
        chain = image.file.chain(image.stage)
        score += 4.0 * any(word in snippet.base_name(image.stage.base) for word in bases[each.stack])
        others = (one.base for one in image.file.needed(image.stage) if one not in chain)
        score += 3.0 * any(word in snippet.base_name(base) for base in others for word in bases[each.stack])
        ranked.append((score - 0.1 * stacks.depth(each.folder) + 0.01 * bool(each.tests), each))
    shell = next((each for each in projects if each.stack == "shell" and below(home, each.folder)), None)
    best = max(ranked, key=lambda pair: pair[0])[1] if ranked else None
    if best is None or (best.tests is None and shell and shell.tests):
        best = shell or best
    return best, bases[best.stack] if best else ()


def _port(image: Image, project: Project | None) -> int:
    for each in image.file.chain(image.stage):
        if each.ports:
            return each.ports[0]
    named = next((port for service in image.services for port in service.ports), 0)
    return named or (project.port if project else 0)


def _health(image: Image, project: Project | None, port: int, cluster: Cluster) -> str:
    if port in _PROTOCOLS:
        return "tcp"
    if not port:
        return ""
    said = next((each.health.path for each in image.services if each.health and each.health.path), "")
    return said or (project.health if project else "") or cluster.probe


def _health_command(image: Image) -> tuple[str, ...]:
    """Return the health check of a compose file that is no HTTP request."""
    checks = [each.health for each in image.services if each.health and not each.health.path]
    return checks[0].command if checks else ()


def _volumes(image: Image) -> dict[str, str]:
    """Return the folders that the image declares as volumes, each by a name."""
    found: dict[str, str] = {}
    for path in dict.fromkeys(each for stage in image.file.chain(image.stage) for each in stage.volumes):
        found[texts.unique(texts.to_name(path.rstrip("/").rpartition("/")[2]) or "data", found)] = path
    return found


def _more_ports(image: Image, port: int) -> dict[str, str]:
    """Return the ports besides the first one, each with a name."""
    chain = image.file.chain(image.stage)
    listed = [f"{each}/tcp" for stage in chain for each in stage.ports if each != port]
    listed += [each.lower() for stage in chain for each in stage.other_ports if _PORT.fullmatch(each.lower())]
    return {f"port-{each.replace('/', '-')}": each for each in dict.fromkeys(listed)}


def _remarks(image: Image) -> Iterable[Remark]:
    path = image.file.path
    if image.args:
        listed = ", ".join(f"{key}={value}" for key, value in image.args.items())
        yield found(f"{path}: image '{image.name}' is built with {listed}")
    roles = [each for each in image.services if each.command]
    if len(image.services) > 1:
        named = ", ".join(f"'{each.name}'" for each in image.services)
        what = " with commands of their own" if roles else ""
        yield left(
            f"{image.services[0].source}: {named} run the image '{image.name}'{what}: it is deployed once"
        )
    for each in image.services:
        if each.hidden:
            yield left(
                f"{each.source}: variables of '{each.name}' look like secrets, and were not taken over: "
                f"{', '.join(each.hidden[:10])}"
            )


def _with_stage(part: Part, words: tuple[str, ...]) -> Part:
    """Return the part with the stage that its tests run in: the Dockerfile's own, or lines to add."""
    image, tests = part.image, part.tests
    name, is_on_top = find_test_stage(image.file, image.stage)
    if name and is_on_top:
        remarks = [] if tests is None or tests.copy else [left(_FITTING.format(name, image.file.path))]
        return structs.replace(part, stage=name, remarks=(*part.remarks, *remarks))
    remarks = list(part.remarks)
    if name:
        remarks.append(
            left(f"{image.file.path}: stage '{name}' is not based on the released one, where tests must run")
        )
    if tests is None or part.project is None:
        return structs.replace(part, remarks=tuple(remarks))
    if not is_inside(part.project, image) or not is_plain(part.project.folder):
        what = f"{part.project.source} is outside of the build context, or in an odd folder: no tests"
        return structs.replace(part, tests=None, remarks=(*remarks, left(what, image.file.path)))
    made = snippet.write(tests, image, part.project, words)
    if not made.stage:
        return structs.replace(part, remarks=tuple(remarks))
    released = image.stage.name
    if not released:
        remarks.append(
            left(f"{image.file.path}, line {image.stage.line}: name the released stage: FROM … AS release")
        )
        image = structs.replace(image, target="release")
    else:
        image = structs.replace(image, target=released)
    remarks.append(
        left(
            f"{image.file.path}: add the stages for {tests.tool} that autoclave.toml has as a comment",
            made.stage,
        )
    )
    return structs.replace(
        part,
        image=image,
        tests=made.tests,
        stage=made.stage,
        stage_lines=made.lines,
        remarks=tuple(remarks),
    )


def is_inside(project: Project, image: Image) -> bool:
    """Return whether the files of a project are in the context of an image."""
    return project.folder == image.context or below(project.folder, image.context)
