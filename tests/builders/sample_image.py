"""An image in a store."""

from __future__ import annotations

from autoclave.store.layout import LayoutStore
from autoclave.store.oci import CONFIG, LAYER, MANIFEST, Descriptor, Manifest, encode


def write_image(store: LayoutStore, content: bytes = b"layer") -> Descriptor:
    config = store.write([b'{"rootfs":{"type":"layers","diff_ids":[]}}'], media_type=CONFIG)
    layer = store.write([content], media_type=LAYER)
    manifest = Manifest(schema_version=2, media_type=MANIFEST, config=config, layers=[layer])
    descriptor = store.write([encode(manifest)], media_type=MANIFEST)
    store.tag(f"app-{content.decode()}", descriptor)
    return descriptor
