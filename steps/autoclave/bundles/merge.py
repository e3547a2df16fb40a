"""Import a checked bundle into a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from autoclave.bundles.collect import VerifiedImage
from autoclave.bundles.unpack import StagedBundle
from autoclave.evidence import cosign, transfer
from autoclave.runtime.folder import Folder
from autoclave.store.base import Store
from autoclave.store.layout import LayoutStore
from autoclave.store.layout.lock import hold_lock
from autoclave.store.oci import Descriptor

_LAYOUT = "layout"


@contextmanager
def staging_folder(beside: Folder) -> Iterator[Folder]:
    """Provide a folder beside a store, for one import at a time; remove it afterwards, and a dead one's."""
    folder = beside.beside(f".{beside.path.name}.importing")
    with hold_lock(folder, "lock", timeout=1, what=f"the import into {beside.path}"):
        folder.remove(_LAYOUT)
        try:
            yield folder.at(_LAYOUT)
        finally:
            folder.remove(_LAYOUT)


def merge(staged: StagedBundle, images: Sequence[VerifiedImage], target: Store) -> None:
    """Import images, records and signatures; into a store on disk the blobs are moved, not copied."""
    if isinstance(target, LayoutStore):
        _move(staged, images, target)
    else:
        for each in images:
            transfer.copy_image(staged.store, target, each.digest, name=each.name)
            transfer.copy_attached(staged.store, target, each.digest)
    for each in images:
        cosign.add_attestations(target, each.digest, each.records)


def _move(staged: StagedBundle, images: Sequence[VerifiedImage], target: LayoutStore) -> None:
    entries = [staged.store.find_image(each.digest) for each in images]
    plain = [Descriptor(media_type=each.media_type, digest=each.digest, size=each.size) for each in entries]
    attached = [found for each in images for found in staged.store.referrers(each.digest)]
    target.move_in(staged.store, staged.bundle.blobs, [*plain, *attached])
    for each, entry in zip(images, plain, strict=True):
        target.tag(each.name, entry)
        if each.signatures:
            cosign.add(target, each.digest, "sig", each.signatures)
