"""Git LFS: a small file in the commit names the content by hash; the content is beside the repository.

Format: git-lfs docs/spec.md, "The Pointer".
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from autoclave.device.source.trees import show
from autoclave.errors import SourceError

LARGEST = 1024
"""Bytes of the longest pointer."""

_CHUNK = 1 << 20
_BEGINNINGS = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")
_POINTER = re.compile(
    rb"version https://(?:git-lfs\.github\.com|hawser\.github\.com)/spec/v1\n"
    rb"oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,18})\n?"
)


def read_pointer(path: bytes, body: bytes) -> tuple[str, int] | None:
    """Return SHA-256 and size that a pointer names; None for an ordinary file. Raises SourceError."""
    if len(body) >= LARGEST or not body.startswith(_BEGINNINGS):
        return None
    found = _POINTER.fullmatch(body)
    if found is None:
        raise SourceError(
            f"'{show(path)}' is a pointer of Git LFS that cannot be read",
            why="it names an extension, or is not of the form of its version",
            next="commit the file again with git-lfs 2 or later, without extensions",
        )
    return found[1].decode(), int(found[2])


def read(path: bytes, pointer: tuple[str, int], objects: Path) -> Iterator[bytes]:
    """Yield the content that a pointer names; it is verified at its end. Raises SourceError."""
    digest, size = pointer
    where = objects / digest[:2] / digest[2:4] / digest
    try:
        opened = os.open(where, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SourceError(
            f"the content of '{show(path)}' is missing",
            why=f"the commit has a pointer of Git LFS in its place, and {where} does not exist",
            next="git lfs fetch",
        ) from error
    total, read = hashlib.sha256(), 0
    with os.fdopen(opened, "rb", buffering=0) as file:
        if stat.S_ISREG(os.fstat(opened).st_mode):
            while read <= size and (chunk := file.read(_CHUNK)):
                total.update(chunk)
                read += len(chunk)
                yield chunk
    if (read, total.hexdigest()) != (size, digest):
        raise SourceError(
            f"the content of '{show(path)}' is not what the commit names",
            why=f"{where} does not have the SHA-256 {digest} and {size} bytes",
            next="remove that file, then: git lfs fetch",
        )
