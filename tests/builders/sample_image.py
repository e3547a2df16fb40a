"""An image in a store."""

from __future__ import annotations

import json
from collections.abc import Sequence

from autoclave.evidence import cosign
from autoclave.evidence.trust import TrustedKey
from autoclave.store.base import Store
from autoclave.store.oci import CONFIG, LAYER, MANIFEST, Descriptor, Manifest, encode

EMPTY = bytes(1024)
"""A layer without files."""


def write_image(store: Store, *layers: bytes, name: str = "") -> Descriptor:
    """Write a small image of these layers, else of one; `name` is what the store calls it."""
    written = [store.write([layer], media_type=LAYER) for layer in layers or (b"layer",)]
    rootfs = {"type": "layers", "diff_ids": [each.digest for each in written]}
    config = store.write([json.dumps({"rootfs": rootfs}).encode()], media_type=CONFIG)
    raw = encode(Manifest(schema_version=2, media_type=MANIFEST, config=config, layers=written))
    image = store.write([raw], media_type=MANIFEST)
    if name:
        store.tag(name, image)
    return image


def verify_signature(store: Store, digest: str, keys: Sequence[TrustedKey]) -> list[TrustedKey]:
    """Verify the signatures that are listed now."""
    return cosign.verify_signature(
        store, cosign.list_signatures(store, digest, store.referrers(digest)), keys
    )
