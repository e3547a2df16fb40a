"""What a layout holds, with times, and the removal of what is not needed: nobody may use it meanwhile."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from msgspec import Struct

from autoclave.errors import Busy, StoreError
from autoclave.store import artifacts
from autoclave.store.base import SMALL
from autoclave.store.layout.blobs import Blobs
from autoclave.store.layout.index import Entry, Index
from autoclave.store.oci import Descriptor, Manifest, parse_manifest
from autoclave.store.retention import Listed

_ANNOTATION = "in-toto.io/predicate-type"


class Removed(Struct, frozen=True):
    """What was removed from a layout: manifests, all files, and their bytes."""

    manifests: int
    files: int
    size: int


@contextmanager
def hold_alone(descriptor: int, what: str) -> Iterator[None]:
    """Turn the shared lock of an open folder into one that excludes every other user, while the body runs."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        raise Busy(
            f"{what} is in use by another command",
            why="what it is writing is not listed yet, and would be taken for what nobody needs",
            next="repeat this when no step is running; 'lsof' names the process",
        ) from error
    except OSError as error:
        raise StoreError(
            f"{what} cannot be locked",
            why=f"{error.strerror or error}: this file system has no locks",
            next="clean it on the machine that has its disk",
        ) from error
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_SH)


def read_inventory(index: Index, blobs: Blobs, read: Callable[[str], bytes]) -> list[Listed]:
    """Return what the index lists, each manifest once, verified. Raises StoreError for what is damaged."""
    written = {digest: when for digest, _, when in blobs.files()}
    names: dict[str, list[str]] = {}
    for entry in index.entries:
        names.setdefault(entry.descriptor.digest, []).extend(filter(None, [entry.name]))
    found = {}
    for entry in index.entries:
        digest = entry.descriptor.digest
        if digest not in found:
            found[digest] = _describe(entry, read(digest), tuple(names[digest]), written.get(digest))
    return list(found.values())


def _describe(entry: Entry, raw: bytes, names: tuple[str, ...], written: datetime | None) -> Listed:
    digest = entry.descriptor.digest
    try:
        content, manifest = read_content(raw, digest)
    except StoreError:  # whole, and not understood: whoever may write to a store may list such a thing
        return Listed(digest=digest, size=len(raw), written=written, names=names, is_known=False)
    return Listed(
        digest=digest,
        size=len(raw) + sum(each.size for each in content),
        written=written,
        names=names,
        subject=manifest.subject.digest if manifest and manifest.subject else "",
        kind=kind_of(manifest) if manifest else "",
        refers=tuple(each.digest for each in content),
    )


def read_content(raw: bytes, digest: str) -> tuple[list[Descriptor], Manifest | None]:
    """Return what a manifest or an index consists of. Raises StoreError when it is neither."""
    kind = artifacts.media_type_of(raw, digest)
    if kind in artifacts.INDEXES:
        return artifacts.list_children(raw, digest), None
    manifest = parse_manifest(raw, digest)
    return [manifest.config, *manifest.layers], manifest


def kind_of(manifest: Manifest) -> str:
    """Return as what a manifest is attached: its predicate type, else its artifact type."""
    return manifest.annotations.get(_ANNOTATION, "") or manifest.artifact_type if manifest.subject else ""


def remove(
    index: Index, blobs: Blobs, kept: Collection[str], needed: Collection[str], before: datetime
) -> tuple[Index, Callable[[], Removed]]:
    """Return the index without what is not kept, and the function that then removes the files.

    A file goes when nothing that is kept refers to it, nothing in `needed` names it, and it came before a
    time: also what a crash left. The index must be written first: what is listed is always there.
    """
    entries = tuple(each for each in index.entries if each.descriptor.digest in kept)
    after = Index(entries, index.others)
    gone = {each.descriptor.digest for each in index.entries} - set(kept)
    referred = set(needed) | set(kept)
    for digest in sorted(kept):
        referred |= _find_blobs(digest, blobs)

    def run() -> Removed:
        files = size = 0
        for digest, length, written in list(blobs.files()):
            if digest not in referred and (written < before or digest in gone):
                blobs.remove(digest)
                files, size = files + 1, size + length
        return Removed(len(gone), files, size)

    return after, run


def _find_blobs(digest: str, blobs: Blobs) -> set[str]:
    """Return what a kept manifest consists of, and what is below. Raises StoreError for a damaged one."""
    found: set[str] = set()
    left = [digest]
    while left:
        each = left.pop()
        if not blobs.has(each):
            continue
        raw = blobs.read(each, limit=SMALL)
        try:
            content, manifest = read_content(raw, each)
        except StoreError:
            continue
        fresh = {one.digest for one in content} - found
        found |= fresh
        if manifest is None:
            left += fresh
    return found


def total_size(blobs: Blobs) -> tuple[int, int]:
    """Return how many files a layout has, and their bytes."""
    sizes: Sequence[int] = [size for _, size, _ in blobs.files()]
    return len(sizes), sum(sizes)
