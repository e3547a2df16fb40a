"""Import a checked bundle into a store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autoclave.bundles.unpack import StagedBundle
from autoclave.errors import StoreError
from autoclave.evidence import cosign, transfer
from autoclave.store.base import Store
from autoclave.store.layout import LayoutStore
from autoclave.store.layout.lock import hold_lock


@contextmanager
def staging_folder(beside: Path) -> Iterator[Path]:
    """Provide a folder beside a store, for one import at a time; remove it afterwards, and a dead one's."""
    folder = beside.parent / f".{beside.name}.importing"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made", why=str(error), next="name another store") from error
    place = folder / "layout"
    with hold_lock(folder / "lock", timeout=1, what=f"the import into {beside}"):
        shutil.rmtree(place, ignore_errors=True)
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


def merge(staged: StagedBundle, target: Store) -> None:
    """Import images, records and signatures; into a store on disk the blobs are moved, not copied."""
    for name, digest in sorted(staged.bundle.images.items()):
        if not isinstance(target, LayoutStore):
            transfer.copy_image(staged.store, target, digest, name=name)
            transfer.copy_attached(staged.store, target, digest)
    if isinstance(target, LayoutStore):
        _move(staged, target)


def _move(staged: StagedBundle, target: LayoutStore) -> None:
    images = sorted(staged.bundle.images.items())
    entries = [staged.store.find_image(digest) for _, digest in images]
    plain = [
        each.__class__(media_type=each.media_type, digest=each.digest, size=each.size) for each in entries
    ]
    attached = [each for _, digest in images for each in staged.store.referrers(digest)]
    signed = {
        (digest, suffix): cosign.list_layers(staged.store, digest, suffix)
        for _, digest in images
        for suffix in cosign.SUFFIXES
    }
    target.move_in(staged.store, staged.bundle.blobs, [*plain, *attached])
    for (name, _), entry in zip(images, plain, strict=True):
        target.tag(name, entry)
    for (digest, suffix), layers in signed.items():
        if layers:
            cosign.add(target, digest, suffix, layers)
