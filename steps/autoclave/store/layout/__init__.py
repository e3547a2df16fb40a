"""The store on disk: an OCI image layout folder.

Readers take no lock: blobs never change and `index.json` is replaced as a whole, under a lock.
Source: OCI image specification 1.1 (image-layout.md; manifest.md for `subject` and `artifactType`).
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from autoclave.errors import StoreError
from autoclave.model.digest import check_digest
from autoclave.runtime.folder import Folder
from autoclave.store import artifacts
from autoclave.store.base import SMALL
from autoclave.store.layout import cleaning
from autoclave.store.layout import index as indexes
from autoclave.store.layout.blobs import Blobs
from autoclave.store.layout.cleaning import Removed
from autoclave.store.layout.folder import INDEX_FILE, LOCK_FILE, hold_shared, open_folder, read_small
from autoclave.store.layout.index import Index
from autoclave.store.layout.lock import hold_lock
from autoclave.store.oci import EMPTY_BLOB, EMPTY_CONFIG, MANIFEST, Descriptor, parse_manifest
from autoclave.store.retention import Listed


class LayoutStore:
    """A store in the folder `root`; see `autoclave.store.base.Store` for the methods."""

    def __init__(self, root: Path | Folder, *, create: bool = True, lock_timeout: float = 60) -> None:
        """Open the layout, or create it when `create`; wait at most `lock_timeout` seconds for other writers.

        No link in the layout is followed, and of a `Folder` none on the way to it that is below its root.
        Raises StoreError when it is missing, when the folder is something else, or when it is not trusted.
        """
        self._folder = root if isinstance(root, Folder) else Folder(root)
        self.root = self._folder.path
        self._timeout = lock_timeout
        self._blobs = Blobs(self._folder)
        open_folder(self._folder, self._blobs, create=create, lock_timeout=lock_timeout)
        self._in_use = hold_shared(self._folder, lock_timeout)
        self._release = weakref.finalize(self, os.close, self._in_use)

    def close(self) -> None:
        """Say that the layout is not in use any more: it can be cleaned."""
        self._release()

    def write(self, chunks: Iterable[bytes], *, media_type: str, expect: str = "") -> Descriptor:
        """Add a blob; with `expect`, refuse content of another digest. Atomic, idempotent."""
        digest, size = self._blobs.write(chunks, expect=expect)
        return Descriptor(media_type=media_type, digest=digest, size=size)

    def has(self, digest: str) -> bool:
        """Return whether the content is there (its bytes are verified when they are read)."""
        return self._blobs.has(digest)

    def read(self, digest: str, *, limit: int = SMALL) -> bytes:
        """Return a small blob, verified. Raise StoreError if missing, damaged or larger than `limit`."""
        return self._blobs.read(digest, limit=limit)

    def chunks(self, digest: str) -> Iterator[bytes]:
        """Stream a blob in constant memory; raise StoreError at its end if the digest does not match."""
        return self._blobs.chunks(digest)

    def tag(self, name: str, descriptor: Descriptor) -> None:
        """Name a manifest; another one loses the name. Raises StoreError when the manifest is missing."""
        self._check(descriptor)
        self._update(lambda index: indexes.set_name(index, name, descriptor))

    def tags(self) -> dict[str, Descriptor]:
        """Return every named manifest, in the order of the index."""
        return {entry.name: entry.descriptor for entry in self._index().entries if entry.name}

    def find(self, name: str) -> Descriptor | None:
        """Return the manifest that has a name, or None."""
        return self.tags().get(name)

    def attach(
        self,
        subject: Descriptor,
        *,
        artifact_type: str,
        layers: Sequence[Descriptor],
        annotations: dict[str, str],
    ) -> Descriptor:
        """Write an artifact manifest that refers to `subject` (OCI 1.1 referrer) and list it.

        The same attachment twice is one entry. Raises StoreError when the subject or a layer is missing.
        """
        self._check(subject)
        self._blobs.write([EMPTY_BLOB], expect=EMPTY_CONFIG.digest)
        return self.adopt(
            artifacts.encode_artifact(
                subject, artifact_type=artifact_type, layers=layers, annotations=annotations
            )
        )

    def adopt(self, raw: bytes) -> Descriptor:
        """List an artifact of another store, byte for byte; its content is here already.

        The same one twice is one entry. Raises StoreError when it has no subject, or content is missing.
        """
        made, manifest, _ = artifacts.parse_artifact(raw)
        for blob in (manifest.config, *manifest.layers):
            self._require(blob)
        self._blobs.write([raw], expect=made.digest)
        self._update(lambda index: indexes.add_entry(index, made))
        return made

    def move_in(self, source: LayoutStore, digests: Iterable[str], listed: Iterable[Descriptor]) -> None:
        """Move the blobs of a layout on the same disk to this one, then list its manifests, all at once."""
        self._blobs.move_in(source._blobs, digests)
        entries = list(listed)

        def add_entries(index: Index) -> Index:
            for entry in entries:
                index = indexes.add_entry(index, entry)
            return index

        self._update(add_entries)

    def referrers(self, digest: str, *, artifact_type: str = "") -> list[Descriptor]:
        """List the artifacts attached to an image, oldest first, each manifest verified.

        Only the manifests themselves count: their `subject`, type and annotations, and not those in the
        index. Raises StoreError when any listed manifest is missing or damaged, so that no record is lost
        without notice.
        """
        check_digest(digest)
        listed = {
            entry.descriptor.digest: entry.descriptor
            for entry in self._index().entries
            if entry.descriptor.media_type == MANIFEST
        }
        found = [
            artifacts.parse_referrer(descriptor, self._check(descriptor), digest)
            for descriptor in listed.values()
        ]
        return artifacts.sort_by_age(found, artifact_type)

    def find_image(self, digest: str) -> Descriptor:
        """Return the descriptor of a listed image, verified; raise StoreError when it is missing."""
        check_digest(digest)
        for entry in self._index().entries:
            if entry.descriptor.digest == digest and entry.descriptor.media_type in artifacts.IMAGES:
                raw = self._check(entry.descriptor)
                if entry.descriptor.media_type == MANIFEST:
                    artifacts.refuse_record(parse_manifest(raw, digest), digest)
                return entry.descriptor
        raise StoreError(
            f"the store has no image {digest}",
            why=f"{self.root / INDEX_FILE} does not list it",
            next="build it, or point to the store that holds it",
        )

    def locate(self, digest: str) -> str:
        """Return where a scanner finds the image, `DIR@sha256:…`, after reading and verifying all of it.

        The digest is what follows the last '@': CI hosts have folders such as `job@2`. Scanners read the
        files and do not verify them, so damage must be found before. Raises
        StoreError when the image, its configuration or a layer is missing or damaged.
        """
        image = self.find_image(digest)
        if image.media_type not in artifacts.INDEXES:
            manifest = parse_manifest(self.read(digest), digest)
            for blob in (manifest.config, *manifest.layers):
                artifacts.refuse_size(blob, sum(map(len, self.chunks(blob.digest))))
        return f"{self.root}@{digest}"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Exclude every other user of the layout, in this process too. Raises Busy when there is one."""
        with cleaning.hold_alone(self._in_use, f"the store {self.root}"):
            yield

    def inventory(self) -> list[Listed]:
        """Return what is listed, each manifest once, verified; raise StoreError when any is damaged."""
        return cleaning.read_inventory(self._index(), self._blobs, self.read)

    def clean(self, kept: Collection[str], needed: Collection[str], before: datetime) -> Removed:
        """Remove what is listed and not in `kept`, and files that nothing needs and that came before a time.

        `needed` are digests of content that must stay, listed or not. Only within `alone`.
        """
        with hold_lock(self._folder, LOCK_FILE, timeout=self._timeout, what=f"the store {self.root}"):
            after, finish = cleaning.remove(self._index(), self._blobs, kept, needed, before)
            self._blobs.replace(INDEX_FILE, after.encode())
            return finish()

    def size(self) -> tuple[int, int]:
        """Return how many files the layout has, and their bytes."""
        return cleaning.total_size(self._blobs)

    def _index(self) -> Index:
        return indexes.parse(read_small(self._folder, INDEX_FILE, SMALL), str(self.root / INDEX_FILE))

    def _update(self, change: Callable[[Index], Index]) -> None:
        with hold_lock(self._folder, LOCK_FILE, timeout=self._timeout, what=f"the store {self.root}"):
            before = self._index()
            after = change(before)
            if after != before:
                self._blobs.replace(INDEX_FILE, after.encode())

    def _check(self, descriptor: Descriptor) -> bytes:
        raw = self._blobs.read(descriptor.digest, limit=SMALL)
        artifacts.refuse_size(descriptor, len(raw))
        return raw

    def _require(self, descriptor: Descriptor) -> None:
        if not self._blobs.has(descriptor.digest):
            raise StoreError(
                f"the store does not hold {descriptor.digest}",
                why="an attachment may only name content that is in the store",
                next="write the content before attaching it",
            )
