"""The instructions of a Dockerfile, as one version of the builder reads them.

Read in BuildKit 0.34.2: frontend/dockerfile/parser/parser.go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from msgspec import Struct, structs

from autoclave.device.dockerfile import directives, words
from autoclave.device.dockerfile import text as lines_of
from autoclave.device.dockerfile.directives import Reading
from autoclave.errors import SourceError

LARGEST = 1 << 20
"""Bytes of a Dockerfile; longer ones are refused."""
_LONGEST = 64 * 1024 - 1  # bytes of a line, as the builder limits it
_MOST = 10_000  # instructions
_HEREDOC = re.compile(r"\d*<<(?P<tabs>-?)(?P<space>[\t\n\f\r ]*)(?P<name>[^<]*)", re.ASCII)
_WITH_HEREDOC = {"RUN", "COPY", "ADD"}
KEYWORDS = frozenset(
    ["ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL"]
) | frozenset(["MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"])


class Instruction(Struct, frozen=True, kw_only=True):
    """One instruction: its keyword in capitals, its flags, and the rest of its line.

    `line` is where it begins, counted from 1; `lines` is how many lines it has, here-documents included.
    """

    line: int
    lines: int
    keyword: str
    flags: tuple[str, ...]
    arguments: str

    def flag_values(self, name: str) -> list[str]:
        """Return the values of a flag, `--name=value`, in their order."""
        found = (each.partition("=") for each in self.flags)
        return [value for flag, _, value in found if flag == f"--{name}"]

    def as_json(self) -> list[str] | None:
        """Return the arguments when they are a JSON array of strings, as the builder decides it."""
        return _read_array(self.arguments)


class Dockerfile(Struct, frozen=True, kw_only=True):
    """A Dockerfile: instructions, the escape character, and the frontend that `# syntax` names ("": none)."""

    name: str
    lines: tuple[str, ...]
    instructions: tuple[Instruction, ...]
    escape: str
    syntax: str
    syntax_line: int

    def error(self, line: int, what: str, *, why: str = "", next: str = "") -> SourceError:  # noqa: A002
        """Return an error that names file and line."""
        return SourceError(f"{self.name}, line {line}: {what}", why=why, next=next)


def decode(raw: bytes, name: str) -> str:
    """Return the text; bytes that are no UTF-8 are kept. Raises SourceError when there is too much of it."""
    if len(raw) > LARGEST:
        raise SourceError(
            f"{name} has more than {LARGEST} bytes",
            why="no Dockerfile needs that much",
            next="copy large files from the build context instead of writing them into it",
        )
    return raw.decode("utf-8", "surrogateescape")


def read(text: str, name: str, reading: Reading) -> Dockerfile:
    """Return the instructions of a Dockerfile. Raises SourceError that names the line."""
    lines = tuple(each for each in re.split(r"(?<=\n)", text.removeprefix("\ufeff")) if each)
    syntax, syntax_line = directives.find_syntax(lines, reading)
    file = Dockerfile(
        name=name,
        lines=lines,
        instructions=(),
        escape=directives.find_escape(lines, name, reading),
        syntax=syntax,
        syntax_line=syntax_line,
    )
    instructions = tuple(_read_instructions(file, reading))
    if not instructions:
        raise SourceError(f"{name} has no instructions", next="begin it with FROM")
    return structs.replace(file, instructions=instructions)


def read_trigger(expression: str, escape: str, line: int) -> Instruction | None:
    """Return the instruction of an ONBUILD in the same file; None when it is none that may be there."""
    keyword, flags, arguments = lines_of.split_keyword(expression, escape)
    if keyword.upper() not in KEYWORDS - {"ONBUILD", "FROM", "MAINTAINER"}:
        return None
    return Instruction(line=line, lines=1, keyword=keyword.upper(), flags=tuple(flags), arguments=arguments)


def _read_instructions(file: Dockerfile, reading: Reading) -> Iterator[Instruction]:
    continued = re.compile(rf"(?:(?P<before>[^\{file.escape}])|^)\{file.escape}[ \t]*\Z", re.DOTALL)
    at = found = 0
    last = len(file.lines)
    while at < last:
        start = at
        line = file.lines[at].rstrip("\r\n").lstrip(lines_of.SPACES)
        _refuse_long(file, at)
        at += 1
        line = "" if line.startswith("#") else line
        cut = _without_continuation(line, continued)
        if cut is None and not line:
            continue
        parts = [line if cut is None else cut]
        while cut is not None and at < last:
            more = file.lines[at].rstrip("\r\n")
            _refuse_long(file, at)
            at += 1
            bare = more.lstrip(lines_of.SPACES)
            if not bare or bare.startswith("#"):
                continue
            cut = _without_continuation(more, continued)
            parts.append(more if cut is None else cut)
        whole = "".join(parts)
        instruction = _read_instruction(whole, file, start)
        at = _skip_heredocs(whole, instruction, at, file, reading)
        found += 1
        if found > _MOST:
            raise file.error(start + 1, f"more than {_MOST} instructions", next="split the file")
        yield structs.replace(instruction, lines=at - start)


def _without_continuation(line: str, continued: re.Pattern[str]) -> str | None:
    """Return the line without the sign that it goes on, None when it does not."""
    found = continued.search(line)
    return line[: found.start()] + (found["before"] or "") if found else None


def _read_instruction(line: str, file: Dockerfile, at: int) -> Instruction:
    keyword, flags, arguments = lines_of.split_keyword(line, file.escape)
    if keyword.upper() not in KEYWORDS:
        raise file.error(
            at + 1,
            f"'{keyword[:40]}' is no instruction",
            why="the builder refuses it, and what it would use cannot be known",
            next="fix the line",
        )
    return Instruction(line=at + 1, lines=1, keyword=keyword.upper(), flags=tuple(flags), arguments=arguments)


def _skip_heredocs(whole: str, instruction: Instruction, at: int, file: Dockerfile, reading: Reading) -> int:
    """Return where the here-documents of an instruction end."""
    if not reading.heredocs or "<<" not in whole or not _can_have_heredocs(instruction, file):
        return at
    for word in words.split_raw(whole):
        found = _HEREDOC.fullmatch(word)
        if found is None or not found["name"] or (found["space"] and not reading.spaced):
            continue
        try:
            inside = words.split(found["name"])
        except words.WordError as error:
            raise file.error(instruction.line, "a here-document cannot be read", why=str(error)) from error
        if len(inside) == 1:
            at = _find_end(inside[0], "\t" if found["tabs"] else "", at, instruction, file)
    return at


def _find_end(ending: str, ignored: str, at: int, instruction: Instruction, file: Dockerfile) -> int:
    """Return the line after the one that ends a here-document."""
    while at < len(file.lines):
        _refuse_long(file, at)
        line = file.lines[at].rstrip("\r\n")
        at += 1
        if (line.lstrip(ignored) if ignored else line) == ending:
            return at
    raise file.error(
        instruction.line,
        f"the here-document '{ending[:40]}' has no end",
        next=f"end it with a line that is exactly '{ending[:40]}'",
    )


def _can_have_heredocs(instruction: Instruction, file: Dockerfile) -> bool:
    inner: Instruction | None = instruction
    if instruction.keyword == "ONBUILD":
        inner = read_trigger(instruction.arguments, file.escape, instruction.line)
    if inner is None or inner.keyword not in _WITH_HEREDOC:
        return False
    return inner.as_json() is None


def _read_array(arguments: str) -> list[str] | None:
    text = arguments.lstrip(lines_of.SPACES)
    if not text.startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and all(isinstance(each, str) for each in found) else None


def _refuse_long(file: Dockerfile, at: int) -> None:
    line = file.lines[at]
    if len(line) > _LONGEST // 4 and len(line.encode("utf-8", "surrogateescape")) > _LONGEST:
        raise file.error(at + 1, f"the line has more than {_LONGEST} bytes", why="the builder refuses it")
