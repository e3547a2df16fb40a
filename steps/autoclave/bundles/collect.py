"""What of a store goes into a bundle: an image, everything attached to it, and every blob that those name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Struct, structs

from autoclave.bundles.contents import refusal
from autoclave.errors import StoreError
from autoclave.evidence import cosign
from autoclave.model.digest import check_digest
from autoclave.store import artifacts
from autoclave.store.base import SMALL, Store
from autoclave.store.layout import index as indexes
from autoclave.store.layout.index import REF_NAME
from autoclave.store.oci import INDEX, MANIFEST, Descriptor, Manifest, parse_manifest

_IMAGES = {MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"}


class Collection(Struct, frozen=True):
    """The entries of a bundle's index, and the sizes of all blobs by digest."""

    entries: tuple[Descriptor, ...]
    blobs: dict[str, int]

    def index(self) -> bytes:
        """Return the bytes of the bundle's index.json."""
        return msgspec.json.encode(
            {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(self.entries)}, order="sorted"
        )


def collect(store: Store, images: Mapping[str, str]) -> Collection:
    """Return what belongs to images by name. Raises StoreError when something is missing or damaged."""
    entries: list[Descriptor] = []
    blobs: dict[str, int] = {}
    for name, digest in sorted(images.items()):
        image = _single(store.find_image(digest))
        entries.append(structs.replace(image, annotations={REF_NAME: name}))
        _add(store, image, blobs)
        for artifact in sorted(store.referrers(digest), key=lambda each: each.digest):
            entries.append(artifact)
            _add(store, artifact, blobs)
        for suffix in cosign.SUFFIXES:
            tag = cosign.tag(digest, suffix)
            if listed := store.find(tag):
                found = Descriptor(media_type=MANIFEST, digest=listed.digest, size=listed.size)
                entries.append(structs.replace(found, annotations={REF_NAME: tag}))
                _add(store, found, blobs)
    unique = {(each.digest, each.annotations.get(REF_NAME, "")): each for each in entries}
    return Collection(tuple(unique.values()), blobs)


def find_reachable(store: Store, raw: bytes, where: str) -> dict[str, int]:
    """Return the sizes of all blobs that a bundle's index leads to, each of them there and of that size."""
    blobs: dict[str, int] = {}
    for entry in indexes.parse(raw, where).entries:
        _add(store, _single(entry.descriptor), blobs)
    return blobs


def _add(store: Store, descriptor: Descriptor, blobs: dict[str, int]) -> None:
    raw = store.read(descriptor.digest, limit=SMALL)
    artifacts.refuse_size(descriptor, len(raw))
    for blob in (descriptor, *_list_blobs(parse_manifest(raw, descriptor.digest))):
        if blobs.setdefault(check_digest(blob.digest), blob.size) != blob.size:
            raise refusal(f"{blob.digest} has two sizes, {blobs[blob.digest]} and {blob.size}")


def _list_blobs(manifest: Manifest) -> Iterator[Descriptor]:
    yield manifest.config
    yield from manifest.layers


def _single(image: Descriptor) -> Descriptor:
    if image.media_type not in _IMAGES:
        raise StoreError(
            f"{image.digest} cannot be in a bundle",
            why=f"it is a {image.media_type}, not the image of one platform",
            next="build one image per platform",
        )
    return Descriptor(media_type=image.media_type, digest=image.digest, size=image.size)
