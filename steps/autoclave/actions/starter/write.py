"""The files that a start consists of: worked out, shown to a person, then written. No link is followed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from msgspec import Struct

from autoclave.actions.starter import registers
from autoclave.actions.starter.draft import Draft
from autoclave.actions.starter.render import SCHEMA, render
from autoclave.actions.starter.repository import join
from autoclave.device import device_file, keys, schema
from autoclave.errors import ConfigError
from autoclave.runtime.folder import Folder

_LARGEST = 1 << 20  # bytes of an ignore file
_NEW = {registers.REQUIREMENTS: registers.NEW_REQUIREMENTS, registers.SOUP: registers.NEW_SOUP}


class Change(Struct, frozen=True, kw_only=True):
    """One file: what it will hold, and the lines that are new in it when it is there already."""

    path: str
    content: bytes
    lines: tuple[str, ...] = ()
    is_new: bool = True


def plan(device: Folder, draft: Draft) -> list[Change]:
    """Return all files to write. Raises SourceError for a link, ConfigError for an invalid draft."""
    text = render(draft)
    device_file.parse(text.encode(), source=schema.FILE)  # a defect here, and nothing was written
    changes = [Change(path=schema.FILE, content=text.encode())]
    for name in draft.new_registers:
        if device.kind(name) is None:
            changes.append(Change(path=name, content=_NEW[name].encode()))
        else:  # a file that is none yet stays; what is no file is refused
            with device.stream(name):
                pass
    for path, lines in ignored(draft).items():
        changes += _added(device, path, lines)
    return changes


def apply(device: Folder, changes: Iterable[Change]) -> None:
    """Write the files, the device file last: without it, a start that failed can be repeated.

    Raises ConfigError when a new one is there meanwhile.
    """
    for each in sorted(changes, key=lambda change: change.path == schema.FILE):
        try:
            if each.is_new:
                device.create(each.path, [each.content])
            else:
                device.write(each.path, [each.content])
        except FileExistsError as error:
            raise ConfigError(
                f"{device.path / each.path} was made meanwhile",
                next="look at it, then repeat 'autoclave init'",
            ) from error
    device.write(SCHEMA, [json.dumps(keys.json_schema(), indent=1).encode(), b"\n"])


def ignored(draft: Draft) -> dict[str, tuple[str, ...]]:
    """Return the lines that ignore files need, by their paths."""
    needed: dict[str, dict[str, None]] = {".gitignore": {".autoclave/": None}}
    for path, line in _for_builds(draft):
        needed.setdefault(path, {})[line] = None
    return {path: tuple(lines) for path, lines in needed.items()}


def _for_builds(draft: Draft) -> Iterator[tuple[str, str]]:
    """Yield ignore files of build contexts, and lines for them."""
    if not draft.parts:
        yield ".dockerignore", ".autoclave"
    for part in draft.parts:
        context = part.image.context
        path = part.ignore_file or join(context, ".dockerignore")
        if context == ".":
            yield path, ".autoclave"
        if not part.whole_context:
            continue
        # What describes the device is no part of its images: a new review builds nothing again.
        about = (
            (".git", schema.FILE, schema.DECISIONS, draft.requirements, draft.soup) if context == "." else ()
        )
        for line in (*about, *(part.project.ignored if part.project else ())):
            if line:
                yield path, line


def _added(device: Folder, path: str, wanted: Iterable[str]) -> list[Change]:
    """Return the change of an ignore file; none when it has all lines. Raises SourceError for a link."""
    is_new = device.kind(path) is None
    before = b"" if is_new else device.read(path, limit=_LARGEST)
    lines = before.decode("utf-8", "surrogateescape").splitlines()
    known = {each.strip().strip("/") for each in lines}
    new = tuple(each for each in wanted if each.strip("/") not in known)
    if not new:
        return []
    content = "\n".join([*lines, *new, ""]).encode("utf-8", "surrogateescape")
    return [Change(path=path, content=content, lines=new, is_new=is_new)]
