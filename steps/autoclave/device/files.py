"""Files of the device by name: one digest over them, and which ones are none of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

PRIVATE = frozenset({".git", ".autoclave"})
"""Folders of a checkout that are no source: a job's tokens are in the one, keys and records in the other."""


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
