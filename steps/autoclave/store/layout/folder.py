"""The folder of an OCI layout: created when it is new, refused when it is something else.

Source: OCI image specification 1.1 (image-layout.md).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec

from autoclave.errors import StoreError
from autoclave.store.layout import index as indexes
from autoclave.store.layout.blobs import Blobs
from autoclave.store.layout.lock import hold_lock

INDEX_FILE = "index.json"
LOCK_FILE = ".lock"
MARKER_FILE = "oci-layout"

MARKER = b'{"imageLayoutVersion":"1.0.0"}'
_MARKER_LIMIT = 4096
_OURS = {"blobs", INDEX_FILE, MARKER_FILE, LOCK_FILE, ".tmp"}


def open_folder(blobs: Blobs, *, create: bool, lock_timeout: float) -> None:
    """Check the layout in `blobs.root`, create it when `create` and it is missing, and sweep after a crash.

    Raises StoreError when there is no layout, when the folder is something else, or when it is not trusted.
    """
    if create and not (blobs.root / MARKER_FILE).exists():
        _create(blobs, lock_timeout)
    _check_marker(blobs.root)
    blobs.guard()
    blobs.sweep()


def read_small(path: Path, limit: int) -> bytes:
    """Read a file of the layout; raise StoreError unless it is a plain file of at most `limit` bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            raw = file.read(limit + 1) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except OSError as error:
        raise StoreError(
            f"there is no usable store in {path.parent}",
            why=f"{path.name}: {error.strerror}",
            next="run 'autoclave build' first, or name the folder of the store",
        ) from error
    if raw is None or len(raw) > limit:
        raise StoreError(
            f"there is no usable store in {path.parent}",
            why=f"{path.name} is not a plain file of at most {limit} bytes",
            next="restore it from where the store was archived",
        )
    return raw


def _create(blobs: Blobs, lock_timeout: float) -> None:
    """Create an empty layout; the marker comes last, so that the next call repairs a crash in between."""
    root = blobs.root
    _refuse_foreign(root)
    blobs.create()
    with hold_lock(root / LOCK_FILE, timeout=lock_timeout, what=f"the store {root}"):
        if not (root / INDEX_FILE).exists():
            blobs.replace(root / INDEX_FILE, indexes.empty().encode())
        if not (root / MARKER_FILE).exists():
            blobs.replace(root / MARKER_FILE, MARKER)


def _refuse_foreign(root: Path) -> None:
    try:
        strangers = {path.name for path in root.iterdir()} - _OURS
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(
            f"{root} cannot be a store", why=str(error.strerror), next="name a folder"
        ) from error
    if strangers:
        raise StoreError(
            f"{root} is not an OCI layout",
            why=f"there is no {MARKER_FILE} file, but there are other files: {sorted(strangers)[:3]}",
            next="name an empty or a new folder for the store",
        )


def _check_marker(root: Path) -> None:
    raw = read_small(root / MARKER_FILE, _MARKER_LIMIT)
    try:
        version = msgspec.json.decode(raw, type=dict[str, object]).get("imageLayoutVersion")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        version = None
    if version != "1.0.0":
        raise StoreError(
            f"{root} is not an OCI layout of version 1.0.0",
            why=f"its {MARKER_FILE} file has no such version",
            next="name the right folder, or restore it from where the store was archived",
        )
