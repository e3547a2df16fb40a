"""Unpack a bundle into a store of its own, as a stream: what its head does not announce is refused.

Names in the archive are compared with those that the head announces, and never used as paths.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from autoclave.bundles import contents
from autoclave.bundles.contents import BLOBS, FIRST, Bundle, refusal
from autoclave.errors import BundleError, StoreError
from autoclave.model.digest import digest_of
from autoclave.store.archive.tar_stream import Kind, Member, members
from autoclave.store.layout import LayoutStore
from autoclave.store.layout.folder import INDEX_FILE, MARKER, MARKER_FILE

_CHUNK = 1024 * 1024


class StagedBundle(Struct, frozen=True):
    """An unpacked bundle: its head, its other files, and a store with its layout."""

    bundle: Bundle
    files: dict[str, bytes]
    store: LayoutStore


def unpack(path: Path, folder: Path) -> StagedBundle:
    """Unpack a bundle into a new store in `folder`. Raises BundleError; then the folder holds junk."""
    archive = members(_chunks(path), most=contents.MOST_MEMBERS)
    try:
        bundle = _head(archive)
        _refuse_too_large(bundle, folder)
        store = LayoutStore(folder)
        files: dict[str, bytes] = {}
        seen: set[str] = set()
        for member, content in archive:
            if member.name in bundle.files:
                files[member.name] = _file(member, content, bundle.files[member.name])
            else:
                seen.add(_blob(member, content, bundle, store))
    except StoreError as error:
        raise refusal(f"{error.what}: {error.why}" if error.why else error.what) from error
    lacking = [*(bundle.files.keys() - files.keys()), *(bundle.blobs.keys() - seen)]
    if lacking:
        raise refusal(f"{sorted(lacking)[0]}, which it announces, is not in it")
    if files[MARKER_FILE] != MARKER:
        raise refusal("it is not an OCI layout of version 1.0.0")
    (folder / INDEX_FILE).write_bytes(files[INDEX_FILE])
    return StagedBundle(bundle, files, store)


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while piece := file.read(_CHUNK):
                yield piece
    except OSError as error:
        raise BundleError(f"{path} cannot be read", why=str(error), next="check the path") from error


def _head(archive: Iterator[tuple[Member, Iterator[bytes]]]) -> Bundle:
    for member, content in archive:
        if member.name != FIRST:
            break
        return contents.parse(_small(member, content))
    raise refusal(f"it does not begin with {FIRST}: it is not an Autoclave bundle")


def _refuse_too_large(bundle: Bundle, folder: Path) -> None:
    needed, free = sum(bundle.blobs.values()), shutil.disk_usage(folder.parent).free
    if needed > free:
        raise BundleError(
            "there is not enough space for the bundle",
            why=f"it needs {needed:,} bytes, and {free:,} are free in {folder.parent}",
            next="free space, or name a store on a larger disk",
        )


def _file(member: Member, content: Iterable[bytes], digest: str) -> bytes:
    raw = _small(member, content)
    if digest_of(raw) != digest:
        raise refusal(f"{member.name} is not what {FIRST} announces: it has the digest {digest_of(raw)}")
    return raw


def _blob(member: Member, content: Iterable[bytes], bundle: Bundle, store: LayoutStore) -> str:
    digest = f"sha256:{member.name.removeprefix(BLOBS)}"
    size = bundle.blobs.get(digest) if member.name.startswith(BLOBS) else None
    if size is None or member.kind is not Kind.FILE:
        raise refusal(f"{member.name[:200]!r} does not belong to it ({member.kind.value})")
    if member.size != size:
        raise refusal(f"{digest} has {member.size} bytes, and {size} are announced")
    store.write(content, media_type="", expect=digest)
    return digest


def _small(member: Member, content: Iterable[bytes]) -> bytes:
    if member.kind is not Kind.FILE or member.size > contents.LARGEST_FILE:
        raise refusal(f"{member.name} is not a file of at most {contents.LARGEST_FILE} bytes")
    return b"".join(content)
