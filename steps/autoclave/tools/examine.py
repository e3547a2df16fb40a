"""Which version of a tool is here, where, and whether it is accepted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from autoclave.errors import ToolError
from autoclave.runtime import programs
from autoclave.runtime.shell import Shell
from autoclave.tools import Tool
from autoclave.tools.versions import find_version

_LONGEST = 30.0  # seconds in which a program prints its version


class State(StrEnum):
    """What is known of a tool on this machine."""

    ACCEPTED = "accepted"
    OTHER = "other version"
    SILENT = "prints no version"
    MISSING = "missing"


class Here(Struct, frozen=True):
    """A tool on this machine: the program that is used, its version, and by what it is found."""

    tool: Tool
    state: State
    path: str = ""
    version: str = ""
    found_by: str = ""

    @property
    def may_be_used(self) -> bool:
        """Whether it is there, and not refused."""
        if self.state is State.OTHER:
            return not self.tool.enforced
        return self.state is State.ACCEPTED


def examine(tool: Tool, shell: Shell, *, command: str = "") -> Here:
    """Return the tool as the steps use it: what `command` or its variable names, else the first one."""
    found = next(_places(tool, shell, command), None) if tool.version else None
    return look_at(tool, shell, *found) if found else Here(tool, State.MISSING)


def find_accepted(tool: Tool, shell: Shell, *, command: str = "") -> Here | None:
    """Return the first program of a tool that is accepted, wherever it is; None when there is none."""
    for path, found_by in _places(tool, shell, command):
        here = look_at(tool, shell, path, found_by)
        if here.state is State.ACCEPTED:
            return here
    return None


def _places(tool: Tool, shell: Shell, command: str) -> Iterator[tuple[str, str]]:
    named = command or (os.environ.get(tool.variable, "") if tool.variable else "")
    if named:
        found_by = tool.variable or "AUTOCLAVE_SCANNER_COMMAND"
        yield from ((each, found_by) for each in shell.find_all(named))
        return
    installed = programs.find(tool.name)
    for each in shell.find_all(tool.name):
        yield each, "installed" if each == installed else "PATH"


def look_at(tool: Tool, shell: Shell, path: str, found_by: str) -> Here:
    """Return what one program says of itself."""
    try:
        done = shell.run([path, *tool.version], ok=range(256), timeout=_LONGEST, cwd=Path("/"))
    except ToolError:
        return Here(tool, State.SILENT, path=path, found_by=found_by)
    version = find_version(done.out.decode("utf-8", "replace")) or find_version(
        done.err.decode("utf-8", "replace")
    )
    if not version:
        return Here(tool, State.SILENT, path=path, found_by=found_by)
    state = State.ACCEPTED if tool.accepted.has(version) else State.OTHER
    return Here(tool, state, path=path, version=version, found_by=found_by)
