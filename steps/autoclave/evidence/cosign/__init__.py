"""Signatures and attestations in cosign's format, so that other tools can judge ours.

Source: cosign specs/SIGNATURE_SPEC.md, pkg/oci/static/signature.go. The older format (tags
`sha256-<hex>.sig` and `.att`) is written on purpose: with the newer bundle format every record signed by
a release key would count as a signature of the image, whatever its predicate says. Both formats are read.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec
from msgspec import Struct
from securesystemslib.signer import Signer

from autoclave.errors import RecordError, StoreError
from autoclave.evidence import dsse
from autoclave.evidence.cosign import bundle
from autoclave.evidence.records import PREDICATE_TYPE, Record
from autoclave.evidence.trust import TrustedKey
from autoclave.store.base import Store
from autoclave.store.oci import (
    EMPTY,
    EMPTY_BLOB,
    EMPTY_CONFIG,
    MANIFEST,
    Descriptor,
    Manifest,
    encode,
    parse_manifest,
)

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
PAYLOAD_TYPE = "cosign container image signature"
SUFFIXES = ("sig", "att")

_REASONS = 5


class _Identity(Struct, rename={"reference": "docker-reference"}):
    reference: str


class _Image(Struct, rename={"digest": "docker-manifest-digest"}):
    digest: str


class _Critical(Struct):
    identity: _Identity
    image: _Image
    type: str


class _Payload(Struct):
    critical: _Critical
    optional: dict[str, str] | None = None


class Signatures(Struct, frozen=True):
    """What is listed as the signatures of an image, unverified: in the older format, and as bundles."""

    image: str
    layers: tuple[Descriptor, ...]
    bundles: tuple[Descriptor, ...]


def tag(image_digest: str, suffix: str) -> str:
    """Return the name under which cosign looks for an image's signatures (`sig`) or attestations (`att`)."""
    return f"{image_digest.replace(':', '-')}.{suffix}"


def sign_image(store: Store, image_digest: str, reference: str, signer: Signer) -> Descriptor:
    """Sign an image digest, add the signature to those that are listed, and return its entry in the list."""
    payload = msgspec.json.encode(
        _Payload(_Critical(_Identity(reference), _Image(image_digest), PAYLOAD_TYPE), None)
    )
    signature = base64.b64encode(bytes.fromhex(signer.sign(payload).signature)).decode()
    layer = store.write([payload], media_type=SIMPLE_SIGNING)
    signed = Descriptor(
        media_type=SIMPLE_SIGNING,
        digest=layer.digest,
        size=layer.size,
        annotations={SIGNATURE: signature},
    )
    add(store, image_digest, "sig", [signed])
    return signed


def add_attestations(store: Store, image_digest: str, records: Sequence[Record]) -> Descriptor:
    """List the envelopes of records where `cosign verify-attestation` looks, beside those of others."""
    layers = [
        Descriptor(
            media_type=dsse.MEDIA_TYPE,
            digest=record.envelope.digest,
            size=record.envelope.size,
            annotations={SIGNATURE: "", "predicateType": record.statement.predicate_type}
            | {PREDICATE_TYPE: record.statement.predicate_type},
        )
        for record in records
    ]
    return add(store, image_digest, "att", layers)


def key_of(layer: Descriptor) -> tuple[str, str]:
    """Return what an entry of a list is known by: what was signed, and the signature."""
    return layer.digest, layer.annotations.get(SIGNATURE, "")


def list_layers(store: Store, image_digest: str, suffix: str) -> list[Descriptor]:
    """Return what is listed as an image's signatures (`sig`) or attestations (`att`), unverified."""
    return _layers(store, tag(image_digest, suffix))


def list_signatures(store: Store, image_digest: str, referrers: Sequence[Descriptor]) -> Signatures:
    """Return what is listed as an image's signatures; `referrers` is everything that is attached to it."""
    bundles = tuple(each for each in referrers if each.artifact_type == bundle.BUNDLE)
    return Signatures(image_digest, tuple(list_layers(store, image_digest, "sig")), bundles)


def add(store: Store, image_digest: str, suffix: str, layers: Sequence[Descriptor]) -> Descriptor:
    """List signatures or attestations beside those that are there already."""
    return _list(store, tag(image_digest, suffix), [*list_layers(store, image_digest, suffix), *layers])


def verify_signature(store: Store, listed: Signatures, keys: Sequence[TrustedKey]) -> list[TrustedKey]:
    """Return keys out of `keys` that signed the image digest. Raises RecordError when none did.

    Bundles count as well, but are read only when no key signed in the older format.
    """
    signed = find_signatures(store, listed, keys)
    good = [key for key in keys if any(key in by for _, by in signed)]
    if good:
        return good
    good, refused = bundle.find_signers(store, listed.bundles, listed.image, keys)
    if good:
        return good
    if not listed.layers and not refused:
        raise RecordError("the image has no release signature", why="'autoclave sign' has not passed for it")
    count = f"{len(listed.layers)} signature(s), none by a key that is trusted here"
    raise RecordError("no trusted release key signed the image", why="; ".join([count, *refused[:_REASONS]]))


def find_signatures(
    store: Store, listed: Signatures, keys: Sequence[TrustedKey]
) -> list[tuple[Descriptor, list[TrustedKey]]]:
    """Return the entries in the older format that are signatures by some of `keys`, and by whom.

    Anybody who may write to the store may add to the list, or put something else in its place.
    """
    found = []
    for layer in listed.layers:
        raw = _read_payload(store, layer)
        by = [] if raw is None else [key for key in keys if _is_signature(layer, raw, listed.image, key)]
        if by:
            found.append((layer, by))
    return found


def plain_entry(layer: Descriptor) -> Descriptor:
    """Return an entry of the list in the older format with nothing but what is signed, and the signature."""
    return Descriptor(
        media_type=SIMPLE_SIGNING,
        digest=layer.digest,
        size=layer.size,
        annotations={SIGNATURE: layer.annotations[SIGNATURE]},
    )


def _read_payload(store: Store, layer: Descriptor) -> bytes | None:
    if layer.media_type != SIMPLE_SIGNING:
        return None
    try:
        return store.read(layer.digest)
    except StoreError:
        return None


def _is_signature(layer: Descriptor, raw: bytes, image_digest: str, key: TrustedKey) -> bool:
    try:
        signature = base64.b64decode(layer.annotations.get(SIGNATURE, ""), validate=True)
        critical = msgspec.json.decode(raw, type=_Payload).critical
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return (
        critical.type == PAYLOAD_TYPE
        and critical.image.digest == image_digest
        and dsse.is_good(key.key, signature, raw)
    )


def _layers(store: Store, name: str) -> list[Descriptor]:
    listed = store.find(name)
    if listed is None:
        return []
    raw = store.read(listed.digest)
    try:
        return list(parse_manifest(raw, listed.digest).layers)
    except StoreError:  # somebody put something else in the list's place: nothing is listed there
        return []


def encode_list(layers: Sequence[Descriptor]) -> bytes:
    """Return the bytes of the manifest that lists signatures or attestations."""
    return encode(Manifest(schema_version=2, media_type=MANIFEST, config=EMPTY_CONFIG, layers=list(layers)))


def _list(store: Store, name: str, layers: list[Descriptor]) -> Descriptor:
    unique = {key_of(layer): layer for layer in layers}
    store.write([EMPTY_BLOB], media_type=EMPTY)
    descriptor = store.write([encode_list(list(unique.values()))], media_type=MANIFEST)
    store.tag(name, descriptor)
    return descriptor
