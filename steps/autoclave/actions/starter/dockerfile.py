"""What the stages of a Dockerfile say: what they are based on, which files they take, what they start."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from autoclave.actions.starter.facts import Healthcheck
from autoclave.device.dockerfile import reading, stages, text, words
from autoclave.device.dockerfile.directives import READINGS
from autoclave.device.dockerfile.reading import Dockerfile, Instruction
from autoclave.errors import ConfigError, SourceError
from autoclave.model.text import is_line

PATTERNS = (
    *("Dockerfile", "Dockerfile.*", "Dockerfile_*", "Dockerfile-*", "*.Dockerfile", "*.dockerfile"),
    *("Containerfile", "Containerfile.*", "*.Containerfile"),
)
NOT_ONE = (".dockerignore", ".md", ".j2", ".tmpl", ".template", ".in", ".orig", ".bak")
_MOST_STAGES = 100
_MOST_VARIABLES = 500
_LONGEST = 2000  # characters of a value
_CHOICE = re.compile(
    r"(?P<start>[A-Za-z0-9._-]*)\$\{?(?P<name>[A-Za-z_][A-Za-z0-9_]{0,99})\}?(?P<end>[A-Za-z0-9._-]*)"
)
_FOLDER = re.compile(r"/[A-Za-z0-9_./-]{1,200}")
_STAGE = re.compile(r"[a-z][a-z0-9._-]{0,100}")
_PORT = re.compile(r"(?P<number>[0-9]{1,5})(?:/(?P<protocol>tcp|udp|sctp))?", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://[^/\s'\"]{1,200}(?P<path>/[^\s'\"|;)\\]{0,500})?")


class Stage(Struct, frozen=True, kw_only=True):
    """One stage. `parent` and `uses` are numbers of other stages, `base` the image below all of them.

    `chosen_by` is the variable without a value that selects what it is based on, and `choices` the stages
    that it can select, by its value. `sources` are what it copies from the build context, `arguments` its
    ARGs without a value, `said` all its instructions as one text.
    """

    index: int
    name: str
    line: int
    base: str
    parent: int | None
    uses: tuple[int, ...]
    chosen_by: str = ""
    choices: Mapping[str, int] = {}
    ports: tuple[int, ...] = ()
    other_ports: tuple[str, ...] = ()
    has_health: bool = False
    starts: bool = False
    user: str = ""
    workdir: str = ""
    volumes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    said: str = ""


class ContainerFile(Struct, frozen=True, kw_only=True):
    """A Dockerfile of the repository, and its stages."""

    path: str
    stages: tuple[Stage, ...]

    def chain(self, stage: Stage) -> tuple[Stage, ...]:
        """Return a stage and those that it is based on, the first one last."""
        found = [stage]
        while found[-1].parent is not None:
            found.append(self.stages[found[-1].parent])
        return tuple(found)

    def needed(self, stage: Stage) -> tuple[Stage, ...]:
        """Return all stages that a build of this one needs, in the order of the file."""
        wanted, waiting = {stage.index}, [stage.index]
        while waiting:
            here = self.stages[waiting.pop()]
            for each in (*here.uses, *([] if here.parent is None else [here.parent])):
                if each not in wanted:
                    wanted.add(each)
                    waiting.append(each)
        return tuple(each for each in self.stages if each.index in wanted)


def read(raw: bytes, path: str) -> ContainerFile:
    """Read a Dockerfile. Raises ConfigError when no version of the builder could."""
    file = _parse(raw, path)
    starts = [at for at, each in enumerate(file.instructions) if each.keyword == "FROM"]
    if not starts or len(starts) > _MOST_STAGES:
        raise ConfigError(f"{path} has {'no' if not starts else 'too many'} FROM")
    known: dict[str, str] = {}
    for each in file.instructions[: starts[0]]:
        for key, value in stages.assignments(each, file) if each.keyword == "ARG" else ():
            known[key] = _expand(value or "", known, file)[:_LONGEST]
    found: list[Stage] = []
    for at, end in zip(starts, [*starts[1:], len(file.instructions)], strict=True):
        found.append(_stage(file, file.instructions[at:end], found, known))
    return ContainerFile(path=path, stages=tuple(found))


def http_path(command: str) -> str:
    """Return the path that a command asks for over HTTP; empty without one."""
    seen = _ADDRESS.search(command[:10_000])
    return (seen["path"] or "/") if seen and is_line(seen["path"] or "/") else ""


def health_of(command: tuple[str, ...]) -> Healthcheck:
    """Return a health check by its command."""
    return Healthcheck(command, http_path(" ".join(command)))


def _parse(raw: bytes, path: str) -> Dockerfile:
    refused: list[SourceError] = []
    for how in READINGS:
        try:
            return reading.read(reading.decode(raw, path), path, how)
        except SourceError as error:
            refused.append(error)
    raise ConfigError(refused[0].what, why=refused[0].why)


class _Collected:
    """What the instructions of one stage say, one after the other."""

    def __init__(self, file: Dockerfile, before: list[Stage], known: Mapping[str, str]) -> None:
        self.file = file
        self.before = before
        self.known = known
        self.variables: dict[str, str] = {}
        self.ports: list[int] = []
        self.other_ports: list[str] = []
        self.last = {"USER": "", "WORKDIR": ""}
        self.has_health = False
        self.starts = False
        self.volumes: list[str] = []
        self.sources: list[str] = []
        self.uses: list[int] = []
        self.arguments: list[str] = []

    def add(self, each: Instruction) -> None:
        """Take one instruction."""
        match each.keyword:
            case "ARG" | "ENV":
                self._add_variables(each)
            case "EXPOSE":
                ports, others = _ports(self.expand(each.arguments))
                self.ports += ports
                self.other_ports += others
            case "USER" | "WORKDIR":
                self.last[each.keyword] = self.expand(each.arguments)
            case "HEALTHCHECK":
                self.has_health = each.arguments.strip().upper() != "NONE"
            case "CMD" | "ENTRYPOINT":
                self.starts = True
            case "VOLUME":
                array = each.as_json()
                self.volumes += text.split_spaces(self.expand(each.arguments)) if array is None else array
            case "COPY" | "ADD":
                self._add_copy(each)
            case "RUN":
                mounts = [part for mount in each.flag_values("mount") for part in mount.split(",")]
                named = [part[5:] for part in mounts if part.startswith("from=")]
                self.uses += _stages_named(named, self.before)

    def expand(self, written: str) -> str:
        """Return a text with the variables of this stage replaced."""
        return _expand(written, self.variables, self.file)

    def _add_variables(self, each: Instruction) -> None:
        for key, value in stages.assignments(each, self.file):
            if value is not None:
                self.variables[key] = self.expand(value)[:_LONGEST]
            elif key in self.known:
                self.variables[key] = self.known[key]
            elif each.keyword == "ARG" and is_line(key):
                self.arguments.append(key)
        if len(self.variables) > _MOST_VARIABLES:
            raise ConfigError(f"{self.file.name}, line {each.line}: more than {_MOST_VARIABLES} variables")

    def _add_copy(self, each: Instruction) -> None:
        origin = each.flag_values("from")
        if origin:
            self.uses += _stages_named(origin, self.before)
            return
        array = each.as_json()
        parts = text.split_spaces(each.arguments) if array is None else array
        found = [self.expand(part) for part in parts[:-1] if not part.startswith("<<")]
        self.sources += [part for part in found if part and "://" not in part and is_line(part)]


def _stage(
    file: Dockerfile, instructions: tuple[Instruction, ...], before: list[Stage], known: Mapping[str, str]
) -> Stage:
    start, *rest = instructions
    parts = text.split_spaces(start.arguments)
    name = parts[2].lower() if len(parts) == 3 and parts[1].lower() == "as" else ""
    written = parts[0] if parts else ""
    base = _expand(written, known, file)
    named = [each for each in before if each.name and each.name == base.lower()]
    parent = named[-1] if named else None
    chosen_by, choices = _choice(written, known, before) if parent is None else ("", {})
    facts = _Collected(file, before, known)
    facts.variables = dict(parent.environment) if parent else {}
    for each in rest:
        facts.add(each)
    return Stage(
        index=len(before),
        name=name if _STAGE.fullmatch(name) else "",
        line=start.line,
        base=parent.base if parent else base[:200],
        parent=parent.index if parent else None,
        uses=tuple(dict.fromkeys(facts.uses)),
        chosen_by=chosen_by,
        choices=choices,
        ports=tuple(dict.fromkeys(facts.ports)),
        other_ports=tuple(dict.fromkeys(facts.other_ports)),
        has_health=facts.has_health,
        starts=facts.starts,
        user=facts.last["USER"],
        workdir=facts.last["WORKDIR"],
        volumes=tuple(dict.fromkeys(each for each in facts.volumes if _FOLDER.fullmatch(each))),
        sources=tuple(dict.fromkeys(facts.sources)),
        arguments=tuple(dict.fromkeys(facts.arguments)),
        environment=facts.variables,
        said="\n".join(each.arguments for each in rest),
    )


def _choice(written: str, known: Mapping[str, str], before: list[Stage]) -> tuple[str, dict[str, int]]:
    """Return the variable without a value that FROM is chosen by, and the stages by its value."""
    seen = _CHOICE.fullmatch(written)
    if seen is None or known.get(seen["name"]):
        return "", {}
    start, end = seen["start"].lower(), seen["end"].lower()
    found = {}
    for each in before:
        value = each.name[len(start) : len(each.name) - len(end)]
        if value and each.name == f"{start}{value}{end}":
            found[value] = each.index
    return seen["name"], found


def _stages_named(names: list[str], before: list[Stage]) -> Iterator[int]:
    for name in names:
        if name.isdecimal() and len(name) < 4 and int(name) < len(before):
            yield int(name)
        else:
            yield from [each.index for each in before if each.name and each.name == name.lower()][-1:]


def _ports(written: str) -> tuple[list[int], list[str]]:
    ports, others = [], []
    for each in written.split():
        seen = _PORT.fullmatch(each)
        if seen is None or not 0 < int(seen["number"]) < 65_536:
            others.append(each[:20])
        elif (seen["protocol"] or "tcp").lower() == "tcp":
            ports.append(int(seen["number"]))
        else:
            others.append(each)
    return ports, [each for each in others if is_line(each)]


def _expand(written: str, variables: Mapping[str, str], file: Dockerfile) -> str:
    """Return a text with its variables replaced; as it is written when that cannot be done."""
    try:
        return words.expand(written, variables, file.escape)
    except words.WordError:
        return written
