"""An image in a store."""

from __future__ import annotations

from collections.abc import Sequence

from autoclave.evidence import cosign
from autoclave.evidence.trust import TrustedKey
from autoclave.store.base import Store
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import CONFIG, LAYER, MANIFEST, Descriptor, Manifest, encode


def write_image(store: LayoutStore, content: bytes = b"layer") -> Descriptor:
    config = store.write([b'{"rootfs":{"type":"layers","diff_ids":[]}}'], media_type=CONFIG)
    layer = store.write([content], media_type=LAYER)
    manifest = Manifest(schema_version=2, media_type=MANIFEST, config=config, layers=[layer])
    descriptor = store.write([encode(manifest)], media_type=MANIFEST)
    store.tag(f"app-{content.decode()}", descriptor)
    return descriptor


def verify_signature(store: Store, digest: str, keys: Sequence[TrustedKey]) -> list[TrustedKey]:
    """Verify the signatures that are listed now."""
    return cosign.verify_signature(
        store, cosign.list_signatures(store, digest, store.referrers(digest)), keys
    )
