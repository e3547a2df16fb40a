"""Unpack a bundle into a store of its own, as a stream: what its head does not announce is refused.

Names in the archive are compared with those that the head announces, and never used as paths.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from autoclave.bundles import contents, tar
from autoclave.bundles.contents import BLOBS, FIRST, Bundle, refusal
from autoclave.errors import BundleError, StoreError
from autoclave.model.digest import digest_of
from autoclave.runtime.folder import Folder
from autoclave.store.layout import LayoutStore
from autoclave.store.layout.folder import INDEX_FILE, MARKER, MARKER_FILE

_CHUNK = 1024 * 1024

Members = Iterator[tuple[str, int, Iterator[bytes]]]


class StagedBundle(Struct, frozen=True):
    """An unpacked bundle: its head, its other files, and a store with its layout."""

    bundle: Bundle
    files: dict[str, bytes]
    store: LayoutStore


def unpack(path: Path, folder: Folder) -> StagedBundle:
    """Unpack a bundle into a new store in `folder`. Raises BundleError; then the folder holds junk."""
    archive = tar.members(_chunks(path))
    try:
        bundle = _head(archive)
        _refuse_too_large(bundle, folder.path)
        store = LayoutStore(folder)
        files = _unpack(archive, bundle, store)
    except StoreError as error:
        raise refusal(f"{error.what}: {error.why}" if error.why else error.what) from error
    if files[MARKER_FILE] != MARKER:
        raise refusal("it is not an OCI layout of version 1.0.0")
    folder.write(INDEX_FILE, [files[INDEX_FILE]])
    return StagedBundle(bundle, files, store)


def _unpack(archive: Members, bundle: Bundle, store: LayoutStore) -> dict[str, bytes]:
    """Write the blobs into the store, and return the files: just what the head announces, in order."""
    files: dict[str, bytes] = {}
    expected = contents.order(bundle)
    at = 0
    for name, size, content in archive:
        if name != next(iter(expected[at : at + 1]), ""):
            _refuse_misplaced(name, expected, at)
        at += 1
        if name in bundle.files:
            files[name] = _file(name, size, content, bundle.files[name])
        else:
            _blob(name, size, content, bundle, store)
    if at < len(expected):
        raise refusal(f"{expected[at]}, which it announces, is not in it")
    return files


def _refuse_misplaced(name: str, expected: list[str], at: int) -> None:
    """Raise BundleError for a member that is not the next one."""
    if name not in expected:
        raise refusal(f"{name[:200]!r} does not belong to it")
    if name in expected[:at]:
        raise refusal(f"{name[:200]!r} comes twice")
    raise refusal(f"{expected[at]}, which it announces, is not in it where it belongs")


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        if not path.is_file():
            raise BundleError(f"{path} is not a file", why="a bundle is one file", next="check the path")
        with path.open("rb") as file:
            while piece := file.read(_CHUNK):
                yield piece
    except OSError as error:
        raise BundleError(f"{path} cannot be read", why=str(error), next="check the path") from error


def _head(archive: Members) -> Bundle:
    for name, size, content in archive:
        if name != FIRST:
            break
        return contents.parse(_small(name, size, content))
    raise refusal(f"it does not begin with {FIRST}: it is not an Autoclave bundle")


def _refuse_too_large(bundle: Bundle, folder: Path) -> None:
    needed, free = sum(bundle.blobs.values()), shutil.disk_usage(folder.parent).free
    if needed > free:
        raise BundleError(
            "there is not enough space for the bundle",
            why=f"it needs {needed:,} bytes, and {free:,} are free in {folder.parent}",
            next="free space, or name a store on a larger disk",
        )


def _file(name: str, size: int, content: Iterable[bytes], digest: str) -> bytes:
    raw = _small(name, size, content)
    if digest_of(raw) != digest:
        raise refusal(f"{name} is not what {FIRST} announces: it has the digest {digest_of(raw)}")
    return raw


def _blob(name: str, size: int, content: Iterable[bytes], bundle: Bundle, store: LayoutStore) -> None:
    digest = f"sha256:{name.removeprefix(BLOBS)}"
    if size != bundle.blobs[digest]:
        raise refusal(f"{digest} has {size} bytes, and {bundle.blobs[digest]} are announced")
    store.write(content, media_type="", expect=digest)


def _small(name: str, size: int, content: Iterable[bytes]) -> bytes:
    if size > contents.LARGEST_FILE:
        raise refusal(f"{name} is larger than {contents.LARGEST_FILE} bytes")
    return b"".join(content)
