"""Files of the device by name: digests of them, and which ones are none of it."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from autoclave.errors import SourceError
from autoclave.model.digest import digest_of

PRIVATE = frozenset({".git", ".autoclave"})
"""Folders of a checkout that are no source: a job's tokens are in the one, keys and records in the other."""


def digests_of_files(folder: Path, files: Iterable[Path]) -> dict[str, str]:
    """Return a digest for each path below a folder: over its kind, permissions and content."""
    return {path.as_posix(): digest_of(_describe(folder / path)) for path in files}


def digest_of_all(digests: Mapping[str, str]) -> str:
    """Return one digest over paths and their digests."""
    total = hashlib.sha256()
    for name, digest in sorted(digests.items()):
        for part in (os.fsencode(name), digest.encode()):
            total.update(len(part).to_bytes(8, "big") + part)
    return "sha256:" + total.hexdigest()


def _describe(path: Path) -> bytes:
    """Return what a builder sees of a path: content only of a file, and where a link leads."""
    try:
        seen = path.lstat()
        kind = f"{stat.filemode(seen.st_mode)[0]} {stat.S_IMODE(seen.st_mode):o} ".encode()
        if stat.S_ISLNK(seen.st_mode):
            return b"l " + os.fsencode(path.readlink())  # a link has no permissions of its own everywhere
        if not stat.S_ISREG(seen.st_mode):
            return kind
        with path.open("rb") as file:
            return kind + hashlib.file_digest(file, "sha256").digest()
    except FileNotFoundError:
        return b"missing"  # removed meanwhile: the next look shows it
    except OSError as error:
        raise SourceError(f"{path} cannot be read", why=str(error)) from error
