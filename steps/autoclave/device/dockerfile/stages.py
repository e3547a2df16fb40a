"""The stages of a Dockerfile: their bases after the arguments have been put in, and their environment.

Read in BuildKit 0.34.2: frontend/dockerfile, dockerfile2llb/convert.go, platform.go, instructions/parse.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from autoclave.device.dockerfile import text, words
from autoclave.device.dockerfile.directives import Reading
from autoclave.device.dockerfile.reading import Dockerfile, Instruction
from autoclave.model.platform import Platform

SCRATCH = "scratch"
_MOST = 500  # stages
_STAGE_NAME = re.compile(r"[a-z][a-z0-9._-]*")
_REFERENCE = re.compile(
    r"(?:[A-Za-z0-9.:\[\]-]+/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)


class Target(Struct, frozen=True, kw_only=True):
    """What is built of a Dockerfile: a stage (its name or number, "": the last one), with which arguments.

    `platform` is what the engine builds for. `buildkit` is false for the classic builder: it sets no
    arguments about platforms, knows no frontends, and builds every stage up to the one that is asked for.
    """

    stage: str = ""
    args: Mapping[str, str] = {}
    platform: Platform
    buildkit: bool = True


class Stage(Struct, frozen=True, kw_only=True):
    """One stage. `base` is an image, or `based_on` the number of an earlier stage; neither: from scratch."""

    index: int
    name: str
    line: int
    base: str
    based_on: int | None
    platform: Platform
    instructions: tuple[Instruction, ...]


class Stages(Struct, frozen=True):
    """All stages of a Dockerfile, and the arguments before the first one."""

    file: Dockerfile
    args: Mapping[str, str]
    stages: tuple[Stage, ...]

    def find_target(self, name: str) -> Stage:
        """Return the stage to build. Raises SourceError when there is none of that name."""
        if not name:
            return self.stages[-1]
        named = [each for each in self.stages if each.name and each.name == name.lower()]
        if not named and name.isdecimal() and len(name) < 6 and int(name) < len(self.stages):
            named = [self.stages[int(name)]]
        if not named:
            known = ", ".join(each.name for each in self.stages if each.name) or "none has a name"
            raise self.file.error(
                self.stages[-1].line,
                f"there is no stage '{name}'",
                why=f"its stages are: {known}",
                next="add AS and the name to a FROM, or fix the target in autoclave.toml",
            )
        return named[-1]

    def find_before(self, name: str, index: int) -> Stage | None:
        """Return the last stage of a name before another one."""
        named = [each for each in self.stages[:index] if each.name and each.name == name.lower()]
        return named[-1] if named else None


def find_stages(file: Dockerfile, target: Target, how: Reading) -> Stages:
    """Return the stages of a Dockerfile. Raises SourceError that names the line."""
    starts = [at for at, each in enumerate(file.instructions) if each.keyword == "FROM"]
    if len(starts) > _MOST:
        raise file.error(
            file.instructions[starts[_MOST]].line, f"more than {_MOST} stages", next="split the file"
        )
    first = starts[0] if starts else len(file.instructions)
    for each in file.instructions[:first]:
        if each.keyword != "ARG":
            raise file.error(each.line, f"{each.keyword} before the first FROM", next="move it behind FROM")
    if not starts:
        raise file.error(
            file.instructions[-1].line, "there is no FROM", next="begin the first stage with FROM"
        )
    last = text.split_spaces(file.instructions[starts[-1]].arguments)
    default = last[2].lower() if how.names_last_stage and len(last) == 3 else "default"
    args = _global_args(file, file.instructions[:first], target, default)
    found: list[Stage] = []
    for at, end in zip(starts, [*starts[1:], len(file.instructions)], strict=True):
        found.append(_read_stage(file, file.instructions[at:end], found, args, target))
    return Stages(file, args, tuple(found))


def assignments(instruction: Instruction, file: Dockerfile) -> Iterator[tuple[str, str | None]]:
    """Yield names and values, as they are written, of an ARG or ENV."""
    parts = text.split_quoted(instruction.arguments, file.escape)
    if instruction.keyword == "ENV" and parts and "=" not in parts[0]:
        name, *rest = text.split_once(instruction.arguments)
        yield name, rest[0] if rest else ""
        return
    for part in parts:
        name, sign, value = part.partition("=")
        yield name, value if sign else None


def expand(word: str, variables: Mapping[str, str], file: Dockerfile, line: int) -> str:
    """Return a word with its variables replaced. Raises SourceError that names the line."""
    try:
        return words.expand(word, variables, file.escape)
    except words.WordError as error:
        raise file.error(
            line, f"'{word[:80]}' cannot be resolved", why=str(error), next="fix it: the builder refuses it"
        ) from error


def check_reference(name: str, written: str, file: Dockerfile, line: int) -> str:
    """Return the name of an image. Raises SourceError when it is none."""
    if len(name) > 1000 or not _REFERENCE.fullmatch(name):
        became = f", which is '{name[:80]}' with the arguments of this build," if name != written else ""
        raise file.error(
            line,
            f"'{written[:80]}'{became} is no image name",
            why="what the image is made of could not be recorded",
            next="fix the name, or give its ARG a value: a default, or args in autoclave.toml",
        )
    return name


def _global_args(
    file: Dockerfile, instructions: Iterable[Instruction], target: Target, default: str
) -> dict[str, str]:
    """Return the arguments that count in FROM: those of the platforms, and each ARG before the first FROM."""
    args: dict[str, str] = {}
    if target.buildkit:
        args = target.platform.arguments() | {"TARGETSTAGE": target.stage or default}
        args |= {name: value for name, value in target.args.items() if name in args}
    for instruction in instructions:
        for name, value in assignments(instruction, file):
            if name in target.args:
                args[name] = target.args[name]
            elif value is not None:
                args[name] = expand(value, args, file, instruction.line)
    return args


def _read_stage(
    file: Dockerfile,
    instructions: tuple[Instruction, ...],
    before: list[Stage],
    args: Mapping[str, str],
    target: Target,
) -> Stage:
    start, *following = instructions
    parts = text.split_spaces(start.arguments)
    name = parts[2].lower() if len(parts) == 3 and parts[1].lower() == "as" else ""
    if len(parts) != 1 and not _STAGE_NAME.fullmatch(name):
        raise file.error(
            start.line,
            f"'FROM {start.arguments[:80]}' is not FROM IMAGE or FROM IMAGE AS NAME",
            why="the name of a stage begins with a letter, and has letters, digits, '-', '_' and '.'",
            next="fix the line",
        )
    base = expand(parts[0], args, file, start.line)
    stages = [each for each in before if each.name and each.name == base.lower()]
    platform = target.platform
    for written in start.flag_values("platform"):
        value = expand(written, args, file, start.line)
        parsed = Platform.parse(value, target.platform)
        if parsed is None:
            raise file.error(
                start.line,
                f"the platform '{written[:80]}' is '{value[:80]}', which is none",
                next="write it as linux/amd64, or give its ARG a value",
            )
        platform = parsed
    is_scratch = not stages and base.lower() == SCRATCH
    if not stages and not is_scratch:
        check_reference(base, parts[0], file, start.line)
    return Stage(
        index=len(before),
        name=name,
        line=start.line,
        base="" if stages or is_scratch else base,
        based_on=stages[-1].index if stages else None,
        platform=platform,
        instructions=tuple(following),
    )
