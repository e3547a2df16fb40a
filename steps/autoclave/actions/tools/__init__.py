"""Get a tool: the one here, else a release file, else the step image's, else built from pinned modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from autoclave.actions.tools import modules, place, release_file, step_image
from autoclave.actions.tools.sources import Exchanged, Unavailable
from autoclave.engines.base import Engine
from autoclave.errors import AutoclaveError, ToolError
from autoclave.runtime.shell import Shell
from autoclave.tools import Tool
from autoclave.tools.examine import find_accepted


class Means(Struct, frozen=True, kw_only=True):
    """What a tool is got with: `mirror` and `image` are what the user named, empty without.

    `note` shows a line about what is done, `engine` connects to the engine when it is needed.
    """

    shell: Shell
    engine: Callable[[], Engine]
    note: Callable[[str], None]
    mirror: str = ""
    image: str = ""


class Got(Struct, frozen=True):
    """A tool that can be used now: where it came from, and what was tried before."""

    tool: str
    version: str
    path: str
    origin: str
    tried: tuple[str, ...] = ()


def install(tool: Tool, means: Means) -> Got:
    """Get a tool from the first source that has it. Raises ToolError when none has, or one was exchanged."""
    if here := find_accepted(tool, means.shell):
        origin = "installed before" if here.found_by == "installed" else f"already on {here.found_by}"
        return Got(tool.name, here.version, here.path, origin)
    if not tool.release and not tool.build:
        raise ToolError(
            f"{tool.name} is not installed, or in a version that is not accepted ({tool.accepted})",
            why="it is a part of the system, which the system's own packages bring",
            next=tool.hint,
        )
    return _get(tool, means)


def _get(tool: Tool, means: Means) -> Got:
    tried: list[str] = []
    for name, get in _list_sources(tool, means):
        with place.stage() as folder:
            try:
                origin = get(folder / tool.name)
                version = place.check(tool, folder / tool.name, means.shell)
                path = place.settle(tool.name, version, folder, origin)
            except Exchanged:
                raise
            except AutoclaveError as error:
                tried.append(f"{name}: {error.reason}")
                means.note(f"{tool.name}: not from {tried[-1]}")
                continue
        return Got(tool.name, version, str(path), origin, tuple(tried))
    raise ToolError(
        f"{tool.name} could not be got from anywhere",
        why="\n".join(tried),
        next=f"put {tool.name} {tool.tested[-1]} on PATH, or name a mirror: --from FOLDER-OR-URL",
    )


def _list_sources(tool: Tool, means: Means) -> Sequence[tuple[str, Callable[[Path], str]]]:
    def from_release(path: Path) -> str:
        if not tool.release:
            raise Unavailable("its vendor publishes none that is pinned here")
        return release_file.get(tool.release, means.mirror, path, means.note)

    def from_image(path: Path) -> str:
        return step_image.get(tool.name, means.image, means.engine, path)

    def from_modules(path: Path) -> str:
        if not tool.build:
            raise Unavailable("its modules are not pinned here")
        return modules.build(tool.build, means.shell, path, means.note)

    return [
        ("a release file", from_release),
        ("the step image", from_image),
        ("pinned modules", from_modules),
    ]
