"""Attestations that others made with cosign, in both of its formats, for people to read.

They never count in a gate: gates judge our own records alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec import Struct

from autoclave.errors import RecordError, StoreError
from autoclave.evidence import cosign, dsse
from autoclave.evidence.cosign import bundle
from autoclave.evidence.cosign.bundle import SIGN
from autoclave.evidence.statement import Statement
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.model.digest import digest_of
from autoclave.store.base import SMALL, Store


class Attestation(Struct, frozen=True, kw_only=True):
    """A verified attestation about the image: `keys` are the trusted keys that signed it."""

    digest: str
    statement: Statement
    keys: tuple[TrustedKey, ...]


def read_attestations(
    store: Store, image_digest: str, trust: Trust, *, ours: Collection[str] = ()
) -> tuple[list[Attestation], int]:
    """Return the attestations by trusted keys, and how many others there are that do not verify here.

    `ours` are the digests of the envelopes of our own records, which are listed for cosign as well.
    """
    good: dict[str, Attestation] = {}
    others = 0
    for raw in _read_envelopes(store, image_digest):
        digest = digest_of(raw) if raw else ""
        if digest in ours or digest in good:
            continue
        try:
            found = bundle.verify_statement(raw, image_digest, trust.keys)
        except RecordError:
            others += 1
            continue
        if found.statement.predicate_type != SIGN:
            good[digest] = Attestation(digest=digest, statement=found.statement, keys=found.keys)
    return list(good.values()), others


def _read_envelopes(store: Store, image_digest: str) -> Iterator[bytes]:
    """Return the envelopes in both formats, empty for what cannot be read as one."""
    for layer in cosign.list_layers(store, image_digest, "att"):
        if layer.media_type == dsse.MEDIA_TYPE:
            try:
                yield store.read(layer.digest)
            except StoreError:
                yield b""
    for referrer in bundle.list_bundles(store, image_digest):
        try:
            yield bundle.read_envelope(store, referrer, limit=SMALL)
        except (RecordError, StoreError):
            yield b""
