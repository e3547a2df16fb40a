"""Copy an image and everything that is attached to it from one store to another, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence

from autoclave.errors import StoreError
from autoclave.evidence import cosign
from autoclave.store.base import Store
from autoclave.store.image import CONFIG_LIMIT
from autoclave.store.oci import MANIFEST, Descriptor, parse_manifest

_IMAGES = {MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"}


def copy_image(source: Store, target: Store, digest: str, *, name: str) -> None:
    """Copy an image with its content and name it. Raises StoreError; then the name is not given."""
    descriptor = source.find_image(digest)
    if descriptor.media_type not in _IMAGES:
        raise StoreError(
            f"{digest} cannot be copied to another store",
            why=f"it is a {descriptor.media_type}, not the image of one platform",
            next="build one image per platform",
        )
    raw = source.read(digest, limit=CONFIG_LIMIT)
    manifest = parse_manifest(raw, digest)
    _copy_blobs(source, target, (manifest.config, *manifest.layers))
    target.write([raw], media_type=descriptor.media_type, expect=digest)
    target.tag(name, descriptor)


def copy_attached(source: Store, target: Store, digest: str) -> int:
    """Copy everything attached to an image, which the target need not hold; return how many records."""
    artifacts = source.referrers(digest)
    for artifact in artifacts:
        raw = source.read(artifact.digest)
        manifest = parse_manifest(raw, artifact.digest)
        _copy_blobs(source, target, (manifest.config, *manifest.layers))
        target.adopt(raw)
    for suffix in cosign.SUFFIXES:
        layers = cosign.list_layers(source, digest, suffix)
        _copy_blobs(source, target, layers)
        if layers:
            cosign.add(target, digest, suffix, layers)
    return len(artifacts)


def _copy_blobs(source: Store, target: Store, blobs: Sequence[Descriptor]) -> None:
    for blob in blobs:
        if not target.has(blob.digest):
            target.write(source.chunks(blob.digest), media_type=blob.media_type, expect=blob.digest)
