"""What a Dockerfile alone shows of the image of a stage: where it starts, its ports, user and health check.

What a base image brings is not known here: `bases` names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from autoclave.device.dockerfile import directives, reading, stages, text
from autoclave.device.dockerfile.reading import Instruction
from autoclave.device.dockerfile.stages import Stage, Stages, Target
from autoclave.errors import SourceError
from autoclave.model.platform import Platform

_PLATFORM = Platform("linux", "amd64")
_LARGEST_PORT = 65_535
_NOT_PLAIN = re.compile(r"""[$"'\\`]|://|^git@|(^|/)\.\.(/|\Z)""")
"""What makes a source of COPY or ADD something else than a path or a pattern of the context."""


class Outline(Struct, frozen=True, kw_only=True):
    """A stage: its name ("" without one), its line, and the stages that it is based on, itself the first.

    `base` is the image on which the first of them is based, "" for scratch. `ports` are those that it
    exposes, `None` when a variable decides one. `user` is the last USER as it is written, `None` without one;
    `health` is whether there is a HEALTHCHECK, `None` when only the base may have one. `copied` are paths
    and patterns that it copies out of the context, with their lines: those that have no variables.
    """

    index: int
    name: str
    line: int
    chain: tuple[int, ...]
    base: str
    ports: tuple[range, ...] | None
    user: str | None
    health: bool | None
    copied: tuple[tuple[int, str], ...]


def read_stages(raw: bytes, name: str, args: Mapping[str, str]) -> Stages:
    """Return the stages, as the first builder reads them that can. Raises SourceError that names the line."""
    decoded = reading.decode(raw, name)
    refused: list[SourceError] = []
    for each in directives.READINGS:
        try:
            file = reading.read(decoded, name, each)
            return stages.find_stages(file, Target(args=args, platform=_PLATFORM), each)
        except SourceError as error:
            refused.append(error)
    raise refused[0]


def outline(known: Stages, stage: Stage) -> Outline:
    """Return what the file shows of a stage."""
    chain = list(_chain(known, stage))
    instructions = [each for one in reversed(chain) for each in one.instructions]
    users = [each.arguments for each in instructions if each.keyword == "USER"]
    checks = [each.arguments.strip().upper() for each in instructions if each.keyword == "HEALTHCHECK"]
    health = checks[-1] != "NONE" if checks else (None if chain[-1].base else False)
    return Outline(
        index=stage.index,
        name=stage.name,
        line=stage.line,
        chain=tuple(each.index for each in chain),
        base=chain[-1].base,
        ports=_ports(instructions),
        user=users[-1].strip() if users else None,
        health=health,
        copied=tuple(_copied(instructions, known.file.escape)),
    )


def declared_arguments(known: Stages) -> frozenset[str]:
    """Return the names of all arguments that the file declares."""
    written = [
        each for each in known.file.instructions if each.keyword == "ARG"
    ]  # before the first FROM as well
    return frozenset(name for each in written for name, _ in stages.assignments(each, known.file))


def _chain(known: Stages, stage: Stage) -> Iterator[Stage]:
    yield stage
    while stage.based_on is not None:
        stage = known.stages[stage.based_on]
        yield stage


def _copied(instructions: list[Instruction], escape: str) -> Iterator[tuple[int, str]]:
    for each in instructions:
        if each.keyword not in {"COPY", "ADD"} or each.flag_values("from") or each.flag_values("parents"):
            continue
        words = each.as_json() or text.split_quoted(each.arguments, escape)
        if any("<<" in word for word in words):  # a here-document brings its own content
            continue
        for word in words[:-1]:
            if word and not _NOT_PLAIN.search(word):
                yield each.line, word


def _ports(instructions: list[Instruction]) -> tuple[range, ...] | None:
    found: dict[range, None] = {}
    for each in instructions:
        if each.keyword != "EXPOSE":
            continue
        for word in text.split_spaces(each.arguments):
            first, _, last = word.partition("/")[0].partition("-")
            last = last or first
            if not all(one.isdecimal() and len(one) < 6 for one in (first, last)):
                return None
            found[range(int(first), min(int(last), _LARGEST_PORT) + 1)] = None
    return tuple(found)
