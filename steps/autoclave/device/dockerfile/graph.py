"""The stages that a build needs, and what they use from outside.

Read in BuildKit 0.34.2: frontend/dockerfile, dockerfile2llb/convert.go and convert_copy.go,
instructions/commands_runmount.go.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from autoclave.device.dockerfile import reading, stages, text
from autoclave.device.dockerfile.directives import Reading
from autoclave.device.dockerfile.reading import Dockerfile, Instruction
from autoclave.device.dockerfile.stages import SCRATCH, Stage, Stages, Target
from autoclave.model.platform import Platform

_REMOTE = re.compile(r"[a-zA-Z0-9]+://|[a-zA-Z0-9_-]+@[a-zA-Z0-9.-]+:")
_CHECKSUM = re.compile(r"(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})")
_COMMIT = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})")
_HEREDOC = re.compile(r"\d*<<-?\s*[^<]+", re.ASCII)


class BaseImage(Struct, frozen=True):
    """What an image brings into stages that are based on it: instructions (ONBUILD), and variables."""

    on_build: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}


class Source(Struct, frozen=True, kw_only=True):
    """Something from outside: its kind, its name or address, and where it is used first.

    Kinds: `base` (FROM), `image` (COPY --from, RUN --mount=from), `frontend` (# syntax) and `remote` (ADD of
    an address). `checksum` is what the builder compares a remote one with: `sha256:…`, or `gitCommit:…`.
    """

    kind: str
    name: str
    line: int
    platform: Platform
    checksum: str = ""


class _Variables:
    """What instructions of a stage see: its environment, which the image keeps, and its arguments."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self.seen = dict(environment)

    def set(self, more: Mapping[str, str]) -> None:
        """Add to the environment."""
        self._environment |= more
        self.seen |= more

    def inherit(self) -> _Variables:
        """Return what a stage based on this one begins with: the environment comes before arguments."""
        made = _Variables(self._environment)
        made.seen = self.seen | self._environment
        return made


class Graph:
    """The stages that a build needs, and what they use."""

    def __init__(self, known: Stages, target: Target, images: Mapping[str, BaseImage], how: Reading) -> None:
        self._file = known.file
        self._known = known
        self._target = target
        self._images = images
        self._how = how
        self._triggers: dict[int, tuple[Instruction, ...]] = {}

    def sources(self) -> Iterator[Source]:
        """Yield what the needed stages use, in their order."""
        ends: dict[int, _Variables] = {}
        for stage in self._needed():
            if stage.base:
                yield Source(kind="base", name=stage.base, line=stage.line, platform=stage.platform)
            for line, name in self._images_of(stage):
                yield Source(kind="image", name=name, line=line, platform=self._target.platform)
            # A stage is based on an earlier one, which is needed too.
            variables = _Variables(self._images.get(stage.base, BaseImage()).environment)
            if stage.based_on is not None:
                variables = ends[stage.based_on].inherit()
            yield from self._walk(stage, variables)
            ends[stage.index] = variables

    def _needed(self) -> list[Stage]:
        target = self._known.find_target(self._target.stage)
        if not self._target.buildkit:
            return list(self._known.stages[: target.index + 1])
        needed: set[int] = set()
        waiting = [target.index]
        while waiting:
            index = waiting.pop()
            if index in needed:
                continue
            needed.add(index)
            stage = self._known.stages[index]
            waiting += [] if stage.based_on is None else [stage.based_on]
            waiting += [each.index for _, each in self._uses(stage) if isinstance(each, Stage)]
        return [each for each in self._known.stages if each.index in needed]

    def _images_of(self, stage: Stage) -> Iterator[tuple[int, str]]:
        for line, used in self._uses(stage):
            if isinstance(used, str) and used.lower() != SCRATCH:
                yield line, stages.check_reference(used, used, self._file, line)

    def _uses(self, stage: Stage) -> Iterator[tuple[int, Stage | str]]:
        """Yield the stages and images from which a stage copies and mounts."""
        for each in self._instructions(stage):
            if each.keyword == "COPY":
                for name in each.flag_values("from"):
                    yield each.line, self._find(name, stage, each.line, by_number=True)
            elif each.keyword == "RUN":
                for mount in each.flag_values("mount"):
                    for name in _mounted(mount, self._file, each.line):
                        yield each.line, self._find(name, stage, each.line, by_number=False)

    def _find(self, name: str, stage: Stage, line: int, *, by_number: bool) -> Stage | str:
        if "$" in name:
            raise self._file.error(
                line,
                f"'{name[:80]}' has a variable",
                why="the builder replaces none here",
                next="add a stage, FROM with the variable AS a name, and use that name",
            )
        if by_number and re.fullmatch(r"[+-]?[0-9]{1,9}", name):
            if not 0 <= int(name) < stage.index:
                raise self._file.error(
                    line, f"there is no stage {name} before this one", next="count them from 0, or name it"
                )
            return self._known.stages[int(name)]
        # The classic builder looks at earlier stages alone; BuildKit refuses the others.
        before = len(self._known.stages) if self._target.buildkit else stage.index
        return self._known.find_before(name, before) or name

    def _instructions(self, stage: Stage) -> tuple[Instruction, ...]:
        """Return what runs in a stage: first the ONBUILD of its base, then its own."""
        if stage.index not in self._triggers:
            self._triggers[stage.index] = tuple(self._read_triggers(stage))
        return self._triggers[stage.index] + stage.instructions

    def _read_triggers(self, stage: Stage) -> Iterator[Instruction]:
        if stage.based_on is not None:
            for each in self._known.stages[stage.based_on].instructions:
                if each.keyword == "ONBUILD":
                    trigger = reading.read_trigger(each.arguments, "\\", each.line)
                    if trigger is None:
                        raise self._file.error(
                            each.line, "ONBUILD without an instruction that may be there", next="fix the line"
                        )
                    yield trigger
        for expression in self._images.get(stage.base, BaseImage()).on_build if stage.base else ():
            origin = f"{self._file.name}, line {stage.line}, ONBUILD of {stage.base}"
            for each in reading.read(expression, origin, self._how).instructions:
                yield Instruction(
                    line=stage.line,
                    lines=1,
                    keyword=each.keyword,
                    flags=each.flags,
                    arguments=each.arguments,
                )

    def _walk(self, stage: Stage, variables: _Variables) -> Iterator[Source]:
        """Yield what a stage fetches; the variables are those at its end then."""
        for each in self._instructions(stage):
            if each.keyword == "ARG":
                for name, value in stages.assignments(each, self._file):
                    if name in self._target.args:
                        variables.seen[name] = self._target.args[name]
                    elif value is not None:
                        variables.seen[name] = stages.expand(value, variables.seen, self._file, each.line)
                    elif name in self._known.args:
                        variables.seen[name] = self._known.args[name]
            elif each.keyword == "ENV":
                variables.set(
                    {
                        stages.expand(name, variables.seen, self._file, each.line): stages.expand(
                            value or "", variables.seen, self._file, each.line
                        )
                        for name, value in stages.assignments(each, self._file)
                    }
                )
            elif each.keyword == "ADD":
                yield from self._fetched(each, variables.seen)

    def _fetched(self, add: Instruction, variables: Mapping[str, str]) -> Iterator[Source]:
        array = add.as_json()
        given = [
            stages.expand(each, variables, self._file, add.line) for each in add.flag_values("checksum")[-1:]
        ]
        for written in (text.split_spaces(add.arguments) if array is None else array)[:-1]:
            if array is None and _HEREDOC.fullmatch(written):
                continue
            address = stages.expand(written, variables, self._file, add.line)
            if _REMOTE.match(address):
                yield Source(
                    kind="remote",
                    name=address,
                    line=add.line,
                    platform=self._target.platform,
                    checksum=_checksum("".join(given)),
                )


def _mounted(mount: str, file: Dockerfile, line: int) -> list[str]:
    """Return the image or stage that a mount is from: one or none; of two the builder takes the last."""
    try:
        fields = next(csv.reader([mount], strict=True))
    except (csv.Error, StopIteration) as error:
        raise file.error(line, f"--mount={mount[:80]} cannot be read", why=str(error)) from error
    pairs = (each.partition("=") for each in fields)
    return [value for name, _, value in pairs if name.lower() == "from" and value][-1:]


def _checksum(given: str) -> str:
    """Return what the builder compares with: the digest of a file, or the whole commit of a git repository.

    A commit in the address alone does not count: a builder that knows no git would fetch it as a file.
    """
    if _CHECKSUM.fullmatch(given):
        return given
    return f"gitCommit:{given}" if _COMMIT.fullmatch(given) else ""
