"""Artifacts attached to images: how they are written and read.

Shared by every store, so that a record has the same bytes, digest and place in the order everywhere.
Source: OCI image specification 1.1 (manifest.md for `subject` and `artifactType`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from autoclave.errors import StoreError
from autoclave.model.digest import digest_of
from autoclave.store.oci import EMPTY_CONFIG, INDEX, MANIFEST, Descriptor, Manifest, encode, parse_manifest

CREATED = "org.opencontainers.image.created"

_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEXES = frozenset({INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"})
IMAGES = frozenset({MANIFEST, _DOCKER_MANIFEST}) | INDEXES


class _Kind(Struct, rename="camel"):
    media_type: str = ""
    manifests: Raw | UnsetType = UNSET
    layers: Raw | UnsetType = UNSET


class _Children(Struct):
    manifests: list[Descriptor]


def encode_artifact(
    subject: Descriptor, *, artifact_type: str, layers: Sequence[Descriptor], annotations: dict[str, str]
) -> bytes:
    """Return the bytes of a manifest that refers to `subject`; its configuration is the empty one."""
    return encode(
        Manifest(
            schema_version=2,
            media_type=MANIFEST,
            artifact_type=artifact_type,
            config=EMPTY_CONFIG,
            layers=list(layers),
            subject=Descriptor(media_type=subject.media_type, digest=subject.digest, size=subject.size),
            annotations=annotations,
        )
    )


def parse_artifact(raw: bytes) -> tuple[Descriptor, Manifest, Descriptor]:
    """Return an artifact's descriptor, manifest and subject; raise StoreError when it has no subject."""
    digest = digest_of(raw)
    manifest = parse_manifest(raw, digest)
    if manifest.subject is None:
        raise StoreError(f"{digest} is not attached to anything", why="its manifest has no subject")
    listed = Descriptor(media_type=MANIFEST, digest=digest, size=len(raw))
    return _describe(listed, manifest), manifest, manifest.subject


def parse_referrer(listed: Descriptor, raw: bytes, subject: str) -> Descriptor | None:
    """Return a listed manifest's descriptor by its own content if it refers to `subject`, else None.

    What is whole and no manifest refers to nothing: whoever may write to a store may list such a thing.
    """
    try:
        manifest = parse_manifest(raw, listed.digest)
    except StoreError:
        return None
    if manifest.subject is None or manifest.subject.digest != subject:
        return None
    return _describe(listed, manifest)


def sort_by_age(found: Iterable[Descriptor | None], artifact_type: str) -> list[Descriptor]:
    """Return the artifacts of a type (of every type when it is empty) by their own date."""
    return sorted(
        (each for each in found if each and artifact_type in {"", each.artifact_type}), key=_creation_time
    )


def media_type_of(raw: bytes, digest: str) -> str:
    """Return a manifest's media type by its bytes; raise StoreError when it is not a manifest, or ambiguous.

    Content-Type is not read: the same bytes must mean the same everywhere.
    """
    try:
        kind = msgspec.json.decode(raw, type=_Kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(
            f"{digest} is not an OCI manifest", why=str(error), next="find out what pushed it"
        ) from error
    is_index, is_manifest = kind.manifests is not UNSET, kind.layers is not UNSET
    found = kind.media_type or (INDEX if is_index else MANIFEST)
    if is_index == is_manifest or (found in IMAGES and (found in INDEXES) != is_index):
        raise StoreError(
            f"{digest} is not an OCI manifest",
            why="it must have either layers or manifests, as its mediaType says",
            next="find out what pushed it",
        )
    return found


def list_children(raw: bytes, digest: str) -> list[Descriptor]:
    """Return what an index of images lists; raise StoreError when it is malformed."""
    try:
        return msgspec.json.decode(raw, type=_Children).manifests
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"{digest} is not an OCI index", why=str(error)) from error


def refuse_record(manifest: Manifest, digest: str) -> None:
    """Raise StoreError when the manifest refers to another one: then it is a record, not an image."""
    if manifest.subject:
        raise StoreError(
            f"{digest} is a record, not an image",
            why="its manifest refers to another one",
            next="name the image's digest; 'autoclave status' lists the images",
        )


def refuse_size(descriptor: Descriptor, size: int) -> None:
    """Raise StoreError when content does not have the size of its descriptor."""
    if size != descriptor.size:
        raise StoreError(
            f"{descriptor.digest} has another size than announced",
            why=f"{size} bytes instead of {descriptor.size}",
            next="restore the store from where it was archived, or build again",
        )


def _describe(listed: Descriptor, manifest: Manifest) -> Descriptor:
    # Without an artifactType, it is the media type of the config (OCI distribution spec, referrers).
    return msgspec.structs.replace(
        listed,
        annotations=manifest.annotations,
        artifact_type=manifest.artifact_type or manifest.config.media_type,
    )


def _creation_time(artifact: Descriptor) -> datetime:
    # Without a readable date first: it must not count as the newest.
    try:
        when = datetime.fromisoformat(artifact.annotations.get(CREATED, ""))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return when if when.tzinfo else when.replace(tzinfo=UTC)
