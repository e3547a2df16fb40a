"""Files of the device by name: one digest over them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from autoclave.device.schema import resolve_inside
from autoclave.errors import SourceError


def digest_of_files(folder: Path, files: Iterable[Path]) -> str:
    """Return one digest over names, kinds, executable bits and contents of files below a folder."""
    total = hashlib.sha256()
    for relative in files:
        path = folder / relative
        name = relative.as_posix().encode("utf-8", "surrogateescape")
        if path.is_symlink():
            kind, body = b"l", str(path.readlink()).encode("utf-8", "surrogateescape")
        elif path.is_file():
            with path.open("rb") as file:
                body = hashlib.file_digest(file, "sha256").digest()
            kind = b"x" if path.stat().st_mode & 0o100 else b"f"
        else:
            continue
        for part in (name, kind, body):
            total.update(len(part).to_bytes(8, "big") + part)
    return "sha256:" + total.hexdigest()


def files_below(folder: Path, name: str) -> list[Path]:
    """Return a file, or all files below a folder, relative to the device folder. Raises SourceError."""
    start = resolve_inside(folder, name)
    if not start.exists():
        raise SourceError(f"'{name}' does not exist", next="fix the path in autoclave.toml")
    found = sorted(start.rglob("*")) if start.is_dir() else [start]
    return [path.relative_to(folder.resolve()) for path in found if path.is_file()]
