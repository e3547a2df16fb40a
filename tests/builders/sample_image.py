"""An image in a store."""

from __future__ import annotations

import json
from collections.abc import Sequence

from autoclave.evidence import cosign
from autoclave.evidence.trust import TrustedKey
from autoclave.model.digest import digest_of
from autoclave.store.base import Store
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import CONFIG, LAYER, MANIFEST, Descriptor, Manifest, encode


def write_image(store: LayoutStore, content: bytes = b"layer") -> Descriptor:
    rootfs = {"type": "layers", "diff_ids": [digest_of(content)]}
    config = store.write([json.dumps({"rootfs": rootfs}).encode()], media_type=CONFIG)
    layer = store.write([content], media_type=LAYER)
    manifest = Manifest(schema_version=2, media_type=MANIFEST, config=config, layers=[layer])
    descriptor = store.write([encode(manifest)], media_type=MANIFEST)
    store.tag(f"app-{content.decode()}", descriptor)
    return descriptor


def write_usable_image(store: LayoutStore) -> Descriptor:
    """Return an image whose configuration names its layers."""
    made = write_image(store)
    raw = json.loads(store.read(made.digest))
    layer = raw["layers"][0]["digest"]
    config = store.write(
        [json.dumps({"rootfs": {"type": "layers", "diff_ids": [layer]}}).encode()],
        media_type=raw["config"]["mediaType"],
    )
    raw["config"] = {"mediaType": config.media_type, "digest": config.digest, "size": config.size}
    written = store.write([json.dumps(raw).encode()], media_type=made.media_type)
    store.tag("app", written)
    return written


def verify_signature(store: Store, digest: str, keys: Sequence[TrustedKey]) -> list[TrustedKey]:
    """Verify the signatures that are listed now."""
    return cosign.verify_signature(
        store, cosign.list_signatures(store, digest, store.referrers(digest)), keys
    )
