"""OCI content: descriptors, manifests and the media types used here.

Source: OCI image specification 1.1 (descriptor.md, manifest.md, image-layout.md).
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from autoclave.errors import StoreError
from autoclave.model.digest import digest_of

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
EMPTY = "application/vnd.oci.empty.v1+json"


class Descriptor(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A pointer to content: media type, digest and size in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] = {}
    artifact_type: str = ""


class Manifest(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """An OCI image manifest; with `subject` it is a referrer of another one."""

    schema_version: int
    media_type: str = ""  # optional in OCI manifests that others wrote
    config: Descriptor
    layers: list[Descriptor]
    artifact_type: str = ""
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}


EMPTY_BLOB = b"{}"
EMPTY_CONFIG = Descriptor(media_type=EMPTY, digest=digest_of(EMPTY_BLOB), size=len(EMPTY_BLOB))


def parse_manifest(raw: bytes, digest: str) -> Manifest:
    """Decode a manifest; raise StoreError naming `digest` when it is not one."""
    try:
        return msgspec.json.decode(raw, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"{digest} is not an OCI manifest", why=str(error)) from error


def encode(value: Struct) -> bytes:
    """Encode deterministically: the same struct gives the same bytes, so the same digest."""
    return msgspec.json.encode(value, order="deterministic")
