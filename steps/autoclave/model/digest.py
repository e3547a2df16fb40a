"""Digests: sha256 of bytes, and whether a text is one."""

from __future__ import annotations

import hashlib
import re

from autoclave.errors import StoreError

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of(raw: bytes) -> str:
    """Return `sha256:<hex>` of the bytes."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def check_digest(digest: str) -> str:
    """Return the digest when it is a well-formed `sha256:<64 hex>`; raise StoreError otherwise."""
    if not _DIGEST.fullmatch(digest):
        raise StoreError(
            f"{digest[:100]!r} is not an image digest",
            why="a digest is 'sha256:' and 64 lower-case hexadecimal digits",
            next="take it from 'autoclave build' or 'autoclave status'",
        )
    return digest
