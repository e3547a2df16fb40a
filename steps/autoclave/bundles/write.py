"""Write a bundle: the same content gives the same bytes, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import resources

from msgspec import Struct

from autoclave.bundles import contents, tar
from autoclave.bundles.collect import Collection
from autoclave.bundles.contents import BLOBS, Bundle
from autoclave.errors import BundleError, SourceError
from autoclave.evidence import trust_export
from autoclave.evidence.trust import Trust
from autoclave.model.digest import Digest, digest_of
from autoclave.runtime.folder import Folder
from autoclave.store.base import Store
from autoclave.store.layout.folder import INDEX_FILE, MARKER, MARKER_FILE


class BundleInputs(Struct, frozen=True, kw_only=True):
    """What a bundle contains beside the layout: device, images and seals by name, trust, copies of files."""

    device: str
    version: str
    images: dict[str, str]
    seals: dict[str, str]
    trust: Trust
    copies: dict[str, bytes]


def write(
    folder: Folder,
    name: str,
    store: Store,
    collected: Collection,
    release: BundleInputs,
    *,
    count: Callable[[Iterable[bytes]], Iterator[bytes]] = iter,
) -> Bundle:
    """Write the bundle, whole or not at all. Raises BundleError, or StoreError for damage in the store.

    `count` passes on the chunks of what is written, and counts them.
    """
    files = _files(collected, release)
    bundle = Bundle(
        format=contents.FORMAT,
        device=release.device,
        version=release.version,
        images=release.images,
        seals=release.seals,
        files={name: digest_of(raw) for name, raw in files.items()},
        blobs=collected.blobs,
    )
    head = contents.encode(bundle)
    contents.parse(head)
    try:
        with folder.writer(name, durable=True) as file:
            for title, raw in ((contents.FIRST, head), *sorted(files.items())):
                tar.write(file, title, len(raw), [raw])
            for digest, size in sorted(collected.blobs.items()):
                made = collected.made.get(digest)
                content = store.chunks(digest) if made is None else [made]
                tar.write(file, BLOBS + Digest(digest).hex, size, count(content))
            tar.end(file)
    except SourceError as error:
        raise BundleError(
            f"{folder.path / name} cannot be written",
            why=error.why or error.what,
            next="free space, or name another file",
        ) from error
    return bundle


def verifier() -> bytes:
    """Return the standalone verifier."""
    return resources.files("autoclave.bundles").joinpath("verify.py").read_bytes()


def _files(collected: Collection, release: BundleInputs) -> dict[str, bytes]:
    return {
        MARKER_FILE: MARKER,
        INDEX_FILE: collected.index(),
        contents.TRUST: trust_export.text(release.trust).encode(),
        **release.copies,
    }
