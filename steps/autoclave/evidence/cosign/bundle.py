"""Signatures in cosign 3's format: Sigstore bundles that refer to the image.

Sources: sigstore/protobuf-specs (sigstore_bundle.proto); cosign cmd/cosign/cli/sign/sign.go and
pkg/oci/remote/write.go. cosign itself takes every bundle by the key about the image for a signature; here the
predicate type decides. What a bundle says of its key (`hint`, `keyid`) and of a log is never used: only the
keys that are trusted count, so that a bundle can be judged offline.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from autoclave.errors import RecordError, StoreError
from autoclave.evidence import dsse
from autoclave.evidence.statement import PAYLOAD_TYPE, TYPE, Statement
from autoclave.evidence.trust import TrustedKey
from autoclave.model.digest import Digest
from autoclave.store.base import Store
from autoclave.store.oci import Descriptor, parse_manifest

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"
STATEMENTS = (TYPE, "https://in-toto.io/Statement/v0.1")
"""Versions of statements that cosign writes: the newer one for signatures, the older for attestations."""

_LARGEST = (
    1 << 20
)  # bytes of a signature's bundle: usually 700, with certificates and a log's proof some 10,000


class VerifiedStatement(Struct, frozen=True, kw_only=True):
    """A statement about the image whose signature is good, by `keys`; how many signatures it carries."""

    statement: Statement
    keys: tuple[TrustedKey, ...]
    signatures: int


class _Bundle(Struct, kw_only=True, rename="camel"):
    media_type: str
    dsse_envelope: Raw


def list_bundles(store: Store, image_digest: str) -> list[Descriptor]:
    """Return the bundles that refer to an image, unverified, oldest first."""
    return store.referrers(image_digest, artifact_type=BUNDLE)


def find_signers(
    store: Store, bundles: Sequence[Descriptor], image_digest: str, keys: Sequence[TrustedKey]
) -> tuple[list[TrustedKey], list[str]]:
    """Return those of `keys` that signed the image in a bundle, and why other bundles are not signatures."""
    signed: list[TrustedKey] = []
    refused: list[str] = []
    for referrer in bundles:
        try:
            signed += _verify_signature(
                read_envelope(store, referrer, limit=_LARGEST), image_digest, keys
            ).keys
        except (RecordError, StoreError) as error:
            why = f"{error.what}: {error.why}" if error.why else error.what
            refused.append(f"bundle {Digest(referrer.digest).short}: {why}")
    return [key for key in keys if key in signed], refused


def read_envelope(store: Store, referrer: Descriptor, *, limit: int) -> bytes:
    """Return the DSSE envelope in a bundle. Raises RecordError or StoreError when it has none."""
    layers = parse_manifest(store.read(referrer.digest), referrer.digest).layers
    if len(layers) != 1 or layers[0].media_type != BUNDLE:
        raise RecordError("its manifest does not have exactly one bundle")
    try:
        bundle = msgspec.json.decode(store.read(layers[0].digest, limit=limit), type=_Bundle)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError("it is not a bundle with a DSSE envelope", why=str(error)) from error
    if bundle.media_type != BUNDLE:
        raise RecordError("it is a bundle of another version", why=f"only {BUNDLE} is read")
    return bytes(bundle.dsse_envelope)


def verify_statement(raw: bytes, image_digest: str, keys: Sequence[TrustedKey]) -> VerifiedStatement:
    """Verify an envelope, and only then decode its statement and check that it is about the image.

    Raises RecordError when none of `keys` signed it, or when it is not such a statement.
    """
    try:
        signatures = dsse.decode(raw)[2]
        payload, kind, good = dsse.verify(raw, [each.key for each in keys])
        if not good:
            raise RecordError("it is not signed by a key that is trusted here")
        if kind != PAYLOAD_TYPE:
            raise RecordError("its payload is not an in-toto statement", why=kind[:100])
        statement = msgspec.json.decode(payload, type=Statement)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError("it does not contain an in-toto statement", why=str(error)) from error
    if statement.type not in STATEMENTS:
        raise RecordError("it contains a statement of another version", why=statement.type[:100])
    digest = Digest(image_digest).hex
    if not any(each.digest.get("sha256") == digest for each in statement.subject):
        raise RecordError("it is about another image", why=f"its subjects do not include {image_digest}")
    return VerifiedStatement(
        statement=statement,
        keys=tuple(each for each in keys if each.key in good),
        signatures=len(signatures),
    )


def _verify_signature(raw: bytes, image_digest: str, keys: Sequence[TrustedKey]) -> VerifiedStatement:
    """Return the statement when it is a signature of this one image, and of nothing else."""
    found = verify_statement(raw, image_digest, keys)
    statement = found.statement
    if statement.predicate_type != SIGN:
        raise RecordError("it is an attestation, not a signature", why=statement.predicate_type[:200])
    if statement.type != TYPE or len(statement.subject) != 1 or found.signatures != 1:
        raise RecordError(
            "it is not a signature as cosign makes it",
            why=f"{found.signatures} signature(s), {len(statement.subject)} subject(s), {statement.type}",
        )
    return found
