"""Everything from outside that building a stage uses: images, frontends and what is fetched.

Read in BuildKit 0.34.2: frontend/dockerfile/builder/build.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autoclave.device.dockerfile import directives, reading, stages, text
from autoclave.device.dockerfile.directives import Reading
from autoclave.device.dockerfile.graph import BaseImage, Graph, Source
from autoclave.device.dockerfile.reading import Dockerfile
from autoclave.device.dockerfile.stages import Target
from autoclave.errors import SourceError
from autoclave.model.platform import Platform

__all__ = ["BaseImage", "Source", "Target", "find_sources"]

SYNTAX_ARGUMENT = "BUILDKIT_SYNTAX"
"""The build argument that names the frontend, whatever the file says."""


def find_sources(
    raw: bytes, name: str, target: Target, images: Mapping[str, BaseImage]
) -> tuple[Source, ...]:
    """Return what building a stage uses from outside, in the order of the file.

    `images` are the base images that are known: what the others bring is not in the result. Raises
    SourceError naming the line when it cannot be resolved, and when it depends on the builder's version.
    """
    decoded = reading.decode(raw, name)
    found: dict[str, tuple[Source, ...]] = {}
    refused: list[SourceError] = []
    for each in directives.READINGS:
        try:
            found[each.name] = _read_sources(decoded, name, target, images, each)
        except SourceError as error:
            refused.append(error)
    if not found:
        raise refused[0]
    first, *others = found
    for other in others:
        if _essence(found[first]) != _essence(found[other]):
            _refuse_ambiguous(name, (first, found[first]), (other, found[other]))
    return found[first]


def _read_sources(
    decoded: str, name: str, target: Target, images: Mapping[str, BaseImage], how: Reading
) -> tuple[Source, ...]:
    file = reading.read(decoded, name, how)
    graph = Graph(stages.find_stages(file, target, how), target, images, how)
    found = [*_frontends(file, target), *graph.sources()]
    known: dict[tuple[str, str, str, Platform], Source] = {}
    for each in found:
        known.setdefault((each.kind, each.name, each.checksum, each.platform), each)
    return tuple(known.values())


def _essence(found: tuple[Source, ...]) -> set[tuple[str, str, str, str]]:
    return {(each.kind, each.name, each.checksum, str(each.platform)) for each in found}


def _refuse_ambiguous(
    name: str, one: tuple[str, tuple[Source, ...]], other: tuple[str, tuple[Source, ...]]
) -> None:
    different = _essence(one[1]) ^ _essence(other[1])
    lines: list[int] = []
    says: list[str] = []
    for who, found in (one, other):
        own = [each for each in found if _essence((each,)) & different]
        lines += [each.line for each in own]
        says.append(f"{who} uses {', '.join(f'{each.kind} {each.name}' for each in own) or 'nothing else'}")
    raise SourceError(
        f"{name}, line {min(lines)}: builders do not read this file in the same way",
        why="; ".join(says),
        next="put # syntax before all other comments, and write no instruction as the end of a here-document",
    )


def _frontends(file: Dockerfile, target: Target) -> Iterator[Source]:
    """Yield the frontend: an image whose program reads the Dockerfile."""
    if not target.buildkit:
        return
    given = target.args.get(SYNTAX_ARGUMENT)
    written = file.syntax if given is None else given.strip(text.SPACES).split(" ", 1)[0]
    if given is None and not file.syntax_line:
        return
    line = file.syntax_line or 1
    yield Source(
        kind="frontend",
        name=stages.check_reference(written, written, file, line),
        line=line,
        platform=target.platform,
    )
