"""The store in one repository of an OCI registry, such as GitLab's, with a verified cache on this machine.

Source: OCI distribution specification 1.1.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from autoclave.errors import StoreError
from autoclave.model.digest import Digest, check_digest, digest_of
from autoclave.store import artifacts
from autoclave.store.base import SMALL
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import EMPTY_BLOB, EMPTY_CONFIG, MANIFEST, Descriptor, parse_manifest
from autoclave.store.registry import address as registry_address
from autoclave.store.registry import cleaning, listing
from autoclave.store.registry.auth import Credentials
from autoclave.store.registry.client import Client
from autoclave.store.registry.content import Content, Counter
from autoclave.store.registry.referrers import Referrers
from autoclave.store.retention import Listed


class RegistryStore:
    """A store in a registry; see `autoclave.store.base.Store` for the methods. Threads may share it."""

    def __init__(
        self,
        address: str,
        cache: LayoutStore,
        credentials: Callable[[str], Credentials | None],
        ca: Path | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        moved: Counter = lambda what, total: iter,
    ) -> None:
        """Use the repository `oci://HOST[:PORT]/REPOSITORY`; nothing is sent before the first use.

        `credentials` returns those for `HOST[:PORT]/REPOSITORY` when the registry requires some. `ca` is a
        file of certificates to trust instead of the environment's. Raises StoreError when the address is
        malformed. `moved` is given what is transferred and its bytes (0: unknown), and returns what counts
        the chunks as it passes them on.
        """
        parsed = registry_address.parse(address)
        self.address = str(parsed)
        self.cache = cache
        self._content = Content(Client(parsed, credentials, ca, sleep), cache, moved)
        self._referring = Referrers(self._content)

    def close(self) -> None:
        """Say that the copy on this machine is not in use any more."""
        self.cache.close()

    def write(self, chunks: Iterable[bytes], *, media_type: str, expect: str = "") -> Descriptor:
        """Add a blob or, with its media type, a manifest, whose own content must be there before it."""
        return self._content.write(chunks, media_type=media_type, expect=expect)

    def has(self, digest: str) -> bool:
        """Return whether the registry has the content (its bytes are verified when they are read)."""
        return self._content.has(digest)

    def read(self, digest: str, *, limit: int = SMALL) -> bytes:
        """Return a small blob, verified. Raise StoreError if missing, damaged or larger than `limit`."""
        return self._content.read(digest, limit=limit)

    def chunks(self, digest: str) -> Iterator[bytes]:
        """Stream a blob in constant memory; it is fetched and verified before the first byte."""
        return self._content.chunks(digest)

    def tag(self, name: str, descriptor: Descriptor) -> None:
        """Tag a manifest; another one loses the tag. A registry keeps no annotations with a tag."""
        registry_address.check_tag(name)
        raw = self._content.read(descriptor.digest)
        artifacts.refuse_size(descriptor, len(raw))
        self._content.put(name, raw)

    def find(self, name: str) -> Descriptor | None:
        """Return the manifest that has a tag, or None: described by its bytes and not by headers."""
        raw = self._content.read_tag(registry_address.check_tag(name), keep=True)
        if raw is None:
            return None
        digest = digest_of(raw)
        return Descriptor(media_type=artifacts.media_type_of(raw, digest), digest=digest, size=len(raw))

    def attach(
        self,
        subject: Descriptor,
        *,
        artifact_type: str,
        layers: Sequence[Descriptor],
        annotations: dict[str, str],
    ) -> Descriptor:
        """Write an artifact manifest that refers to `subject` (OCI 1.1 referrer) and have it listed.

        Raises StoreError when the subject is missing, or a layer is neither there nor in the cache.
        """
        raw = self._content.manifest(subject.digest)
        if raw is None:
            raise StoreError(
                f"the registry does not hold {subject.digest}",
                why=f"{self.address} has no such manifest to attach anything to",
                next="push the image first, or point to the store that holds it",
            )
        artifacts.refuse_size(subject, len(raw))
        self.cache.write([EMPTY_BLOB], media_type=EMPTY_CONFIG.media_type, expect=EMPTY_CONFIG.digest)
        return self.adopt(
            artifacts.encode_artifact(
                subject, artifact_type=artifact_type, layers=layers, annotations=annotations
            )
        )

    def adopt(self, raw: bytes) -> Descriptor:
        """List an artifact of another store, byte for byte; its content is here already.

        Raises StoreError when it has no subject, or its content is neither there nor in the cache.
        """
        made, manifest, subject = artifacts.parse_artifact(raw)
        for blob in (manifest.config, *manifest.layers):
            self._content.require(blob)
        self.cache.write([raw], media_type=MANIFEST, expect=made.digest)
        self._referring.add(made, raw, subject.digest)
        return made

    def referrers(self, digest: str, *, artifact_type: str = "") -> list[Descriptor]:
        """List the artifacts attached to an image, oldest first, each manifest verified.

        As in a layout, only the manifests themselves count, and StoreError is raised when one that is listed
        is missing or damaged.
        """
        listed = self._referring.of(check_digest(digest))
        found = [artifacts.parse_referrer(entry, raw, digest) for entry, raw in listed]
        return artifacts.sort_by_age(found, artifact_type)

    def find_image(self, digest: str) -> Descriptor:
        """Return the descriptor of an image, its manifest verified; raise StoreError when it is missing."""
        raw = self._content.manifest(digest)
        media_type = artifacts.media_type_of(raw, digest) if raw is not None else ""
        if raw is None or media_type not in artifacts.IMAGES:
            raise StoreError(
                f"the store has no image {digest}",
                why=f"{self.address} does not hold it",
                next="build it, or point to the store that holds it",
            )
        if media_type == MANIFEST:
            artifacts.refuse_record(parse_manifest(raw, digest), digest)
        return Descriptor(media_type=media_type, digest=digest, size=len(raw))

    def inventory(self) -> list[Listed]:
        """Return the images that tags name, and what is attached to them, each manifest verified."""
        return cleaning.read_inventory(self._content, self._referring)

    def remove(self, planned: Sequence[Listed]) -> list[str]:
        """Delete images with what is attached to them; return the digests of the images that are gone."""
        return cleaning.remove(planned, self._content, self._referring)

    def locate(self, digest: str) -> str:
        """Fetch the image into the cache and return where a scanner finds it there: `DIR@sha256:…`."""
        image = self.find_image(digest)
        self._fetch(image)
        self.cache.tag(f"image-{Digest(digest).hex}", image)
        return self.cache.locate(digest)

    def _fetch(self, image: Descriptor) -> None:
        self._content.ensure(image.digest)
        raw = self._content.read(image.digest)
        if image.media_type in artifacts.INDEXES:
            for each in listing.entries(raw, artifacts.INDEXES) or ():
                self._fetch(each)
        elif image.media_type in artifacts.IMAGES:
            manifest = parse_manifest(raw, image.digest)
            for blob in (manifest.config, *manifest.layers):
                self._content.ensure(blob.digest)
