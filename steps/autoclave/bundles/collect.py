"""What of a store goes into a bundle: images, and of what is attached to them all that is signed.

Nothing else: what no signature leads to stays where it is. A reader collects anew, and compares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct, structs

from autoclave.bundles.contents import refusal
from autoclave.errors import StoreError
from autoclave.evidence import cosign
from autoclave.evidence.records import Record
from autoclave.evidence.seal import Chain
from autoclave.evidence.timestamps.seals import SealStamp
from autoclave.evidence.trust import TrustedKey
from autoclave.model.digest import check_digest, digest_of
from autoclave.store import artifacts
from autoclave.store.base import SMALL, Store
from autoclave.store.layout.index import REF_NAME
from autoclave.store.oci import INDEX, MANIFEST, Descriptor, Manifest, parse_manifest

_IMAGES = {MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"}


class VerifiedImage(Struct, frozen=True, kw_only=True):
    """One image whose records verify: these, the seals, time stamps, and the result of the release gate.

    `signatures` are the release signatures that verify, and `signers` the keys that made them.
    """

    name: str
    digest: str
    records: tuple[Record, ...]
    signatures: tuple[Descriptor, ...]
    signers: tuple[TrustedKey, ...]
    chain: Chain
    stamps: tuple[SealStamp, ...]
    result: str


class Collection(Struct, frozen=True):
    """The entries of a bundle's index, the sizes of all blobs by digest, and those that no store has."""

    entries: tuple[Descriptor, ...]
    blobs: dict[str, int]
    made: dict[str, bytes]

    def index(self) -> bytes:
        """Return the bytes of the bundle's index.json."""
        return msgspec.json.encode(
            {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(self.entries)}, order="sorted"
        )


def collect(store: Store, images: Sequence[VerifiedImage]) -> Collection:
    """Return what belongs to verified images. Raises StoreError when something is missing or damaged."""
    entries: list[Descriptor] = []
    blobs: dict[str, int] = {}
    made: dict[str, bytes] = {}
    for image in sorted(images, key=lambda each: each.name):
        found = _single(store.find_image(image.digest))
        raw = store.read(found.digest, limit=SMALL)
        if artifacts.media_type_of(raw, found.digest) != found.media_type:
            raise refusal(f"{found.digest} is not the {found.media_type} that the index calls it")
        entries.append(structs.replace(found, annotations={REF_NAME: image.name}))
        _add(raw, found, blobs)
        for digest in sorted(each.digest for each in image.records):
            raw = store.read(digest, limit=SMALL)
            entry = artifacts.parse_artifact(raw)[0]
            entries.append(entry)
            _add(raw, entry, blobs)
        if image.signatures:
            raw = cosign.encode_list(image.signatures)
            listed = Descriptor(media_type=MANIFEST, digest=digest_of(raw), size=len(raw))
            made[listed.digest] = raw
            entries.append(structs.replace(listed, annotations={REF_NAME: cosign.tag(image.digest, "sig")}))
            _add(raw, listed, blobs)
    unique = {(each.digest, each.annotations.get(REF_NAME, "")): each for each in entries}
    return Collection(tuple(unique.values()), blobs, made)


def _add(raw: bytes, descriptor: Descriptor, blobs: dict[str, int]) -> None:
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
