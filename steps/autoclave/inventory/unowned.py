"""Programs and libraries that belong to no package, and that no language's tool accounts for."""

from __future__ import annotations

from collections.abc import Iterator

from autoclave.inventory.history import History, is_record
from autoclave.model.inventory import UnownedFile

SMALLEST = 64 * 1024
"""Bytes from which on a program is listed."""


def find_unowned(history: History) -> list[UnownedFile] | None:
    """Return them, the largest first; None when the files of the system's packages are not known (RPM)."""
    if history.states["rpm"]:
        return None
    owned = {
        there[0]
        for states in history.states.values()
        for each in (states[-1].found.values() if states else ())
        for path in each.files
        if (there := history.find(path))
    } | set(_of_python(history))
    found = [
        UnownedFile(path=path, size=size, digest=entry.content)
        for path, entry in history.files.items()
        if entry.kind == "file" and path not in owned and "/node_modules/" not in f"/{path}"
        for size in [history.programs.get(entry.content, 0)]
        if size >= SMALLEST
    ]
    return sorted(found, key=lambda each: (-each.size, each.path))


def _of_python(history: History) -> Iterator[str]:
    """Yield the files that installed Python packages list (PEP 376): paths are relative to their folder."""
    for path in history.files:
        if is_record(path) and (body := history.body(path)):
            folder = path.rpartition("/")[0].rpartition("/")[0]
            for line in body.decode("utf-8", "replace").splitlines():
                name = line.rpartition(",")[0].rpartition(",")[0] or line
                yield _join(folder, name.strip('"'))


def _join(folder: str, name: str) -> str:
    if name.startswith("/"):
        return name.lstrip("/")
    parts = folder.split("/") if folder else []
    for part in name.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)
