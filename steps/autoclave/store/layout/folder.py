"""The folder of an OCI layout: created when it is new, refused when it is something else.

Source: OCI image specification 1.1 (image-layout.md).
"""

from __future__ import annotations

import fcntl
import os
import time

import msgspec

from autoclave.errors import Busy, SourceError, StoreError
from autoclave.runtime.folder import Folder
from autoclave.store.layout import index as indexes
from autoclave.store.layout.blobs import Blobs
from autoclave.store.layout.lock import hold_lock

INDEX_FILE = "index.json"
LOCK_FILE = ".lock"
MARKER_FILE = "oci-layout"

MARKER = b'{"imageLayoutVersion":"1.0.0"}'
_MARKER_LIMIT = 4096
_OURS = {"blobs", INDEX_FILE, MARKER_FILE, LOCK_FILE, ".tmp"}


def open_folder(folder: Folder, blobs: Blobs, *, create: bool, lock_timeout: float) -> None:
    """Check the layout in a folder, create it when `create` and it is missing, and sweep after a crash.

    Raises StoreError when there is no layout, when the folder is something else, or when it is not trusted.
    """
    blobs.guard()
    if create and folder.kind(MARKER_FILE) is None:
        _create(folder, blobs, lock_timeout)
    _check_marker(folder)
    blobs.sweep()


def hold_shared(folder: Folder, timeout: float) -> int:
    """Open the folder of a layout and hold its shared lock: it is in use. Return the descriptor.

    Whoever cleans a layout excludes its users. Raises Busy when it is not free within `timeout` seconds.
    A file system without locks cannot be cleaned either.
    """
    with folder.opened() as opened:
        descriptor = os.dup(opened)
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise Busy(
                    f"the store {folder.path} is being cleaned",
                    why=f"that was not over within {timeout:g} s",
                    next="repeat the command when 'autoclave clean' has ended",
                ) from error
            time.sleep(0.05)
        except OSError:
            return descriptor
        else:
            return descriptor


def read_small(folder: Folder, name: str, limit: int) -> bytes:
    """Read a file of the layout; raise StoreError unless it is a plain file of at most `limit` bytes."""
    try:
        return folder.read(name, limit=limit)
    except SourceError as error:
        missing = folder.kind(name) is None
        raise StoreError(
            f"there is no usable store in {folder.path}",
            why=error.reason,
            next="run 'autoclave build' first, or name the folder of the store"
            if missing
            else "restore it from where the store was archived",
        ) from error


def _create(folder: Folder, blobs: Blobs, lock_timeout: float) -> None:
    """Create an empty layout; the marker comes last, so that the next call repairs a crash in between."""
    _refuse_foreign(folder)
    blobs.create()
    with hold_lock(folder, LOCK_FILE, timeout=lock_timeout, what=f"the store {folder.path}"):
        if folder.kind(INDEX_FILE) is None:
            blobs.replace(INDEX_FILE, indexes.empty().encode())
        if folder.kind(MARKER_FILE) is None:
            blobs.replace(MARKER_FILE, MARKER)


def _refuse_foreign(folder: Folder) -> None:
    strangers = set(folder.names()) - _OURS
    if strangers:
        raise StoreError(
            f"{folder.path} is not an OCI layout",
            why=f"there is no {MARKER_FILE} file, but there are other files: {sorted(strangers)[:3]}",
            next="name an empty or a new folder for the store",
        )


def _check_marker(folder: Folder) -> None:
    raw = read_small(folder, MARKER_FILE, _MARKER_LIMIT)
    try:
        version = msgspec.json.decode(raw, type=dict[str, object]).get("imageLayoutVersion")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        version = None
    if version != "1.0.0":
        raise StoreError(
            f"{folder.path} is not an OCI layout of version 1.0.0",
            why=f"its {MARKER_FILE} file has no such version",
            next="name the right folder, or restore it from where the store was archived",
        )
