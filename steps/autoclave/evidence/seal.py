"""Seals: records that name every record of an image, so that none can be removed or replaced unnoticed.

A seal names the records that no earlier seal names, and the seal before it. So each seal binds all that was
attached until then, and a thousand of them are no larger than what they bind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from autoclave.evidence import cosign, predicates
from autoclave.evidence.image_records import ImageRecords
from autoclave.evidence.records import Record
from autoclave.evidence.statement import SEAL, StepInfo
from autoclave.model.digest import Digest
from autoclave.store.oci import Descriptor


class SealedRecord(Struct, frozen=True):
    """A record that a seal names: its short name, the digest of its manifest, and of its envelope."""

    name: str
    manifest: str
    envelope: str


class Signature(Struct, frozen=True):
    """A release signature in cosign's older format: the digest of what was signed, and the signature."""

    payload: str
    signature: str


class Seal(Struct, frozen=True, kw_only=True):
    """What a seal says: records since the seal before it, signatures, digests of policy and trust.

    `previous` is the digest of the seal before it, empty for the first.
    """

    records: tuple[SealedRecord, ...]
    signatures: tuple[Signature, ...]
    previous: str
    policy: str
    trust: str


class Chain(Struct, frozen=True, kw_only=True):
    """The seals of an image by digest, oldest first; what is wrong; what no seal names yet (not an error).

    `exchanged` are sealed records whose signed bytes are there, attached anew (not an error in a store).
    """

    seals: dict[str, Seal]
    problems: tuple[str, ...]
    exchanged: tuple[SealedRecord, ...]
    unsealed: tuple[SealedRecord, ...]

    @property
    def newest(self) -> str:
        """The digest of the newest seal, empty when there is none."""
        return next(reversed(self.seals), "")


def predicate(info: StepInfo, seal: Seal) -> dict[str, Any]:
    """Return the predicate of a seal record."""
    return {"autoclave": info, "facts": seal}


def seals_of(good: Sequence[Record]) -> dict[str, Seal]:
    """Return the seals among verified records by digest, oldest first. Raises RecordError."""
    return {
        each.digest: predicates.facts_of(each.statement, Seal)
        for each in good
        if each.statement.predicate_type == SEAL
    }


def signatures_of(layers: Sequence[Descriptor]) -> tuple[Signature, ...]:
    """Return release signatures in cosign's older format as a seal names them."""
    return tuple(Signature(each.digest, each.annotations.get(cosign.SIGNATURE, "")) for each in layers)


def check(attached: ImageRecords) -> Chain:
    """Compare what the seals name with what is attached. Raises RecordError for a seal of another form.

    What does not verify is never sealed: a gate closes for it, or it is a stray. What was sealed must still
    be there, and not have become a stray.
    """
    seals = seals_of(attached.records)
    signatures = signatures_of(attached.signatures.layers)
    good = {
        each.digest: SealedRecord(each.name, each.digest, each.envelope.digest) for each in attached.records
    }
    rejected = {each.digest for each in attached.rejected}
    strays = {each.digest: each.why for each in attached.strays}
    here = good.keys() | rejected | strays.keys()
    problems: list[str] = []
    named: set[str] = set()
    for digest, seal in seals.items():
        sealed = [each for each in seal.records if each.manifest not in rejected]
        problems += [why for each in sealed if (why := _find_difference(each, good, strays))]
        problems += [
            f"a release signature that seal {Digest(digest).short} names is missing"
            for each in seal.signatures
            if each not in signatures
        ]
        if seal.previous and seal.previous not in seals:
            state = "does not verify" if seal.previous in here else "is missing"
            problems.append(f"the seal {seal.previous} before seal {Digest(digest).short} {state}")
        named |= {each.manifest for each in seal.records} | {seal.previous}
    named.add(next(reversed(seals), ""))
    enclosed = {each.envelope for seal in seals.values() for each in seal.records}
    unsealed = tuple(
        each for each in good.values() if each.manifest not in named and each.envelope not in enclosed
    )
    exchanged = tuple(
        each
        for seal in seals.values()
        for each in seal.records
        if each.manifest not in here and any(found.envelope == each.envelope for found in good.values())
    )
    return Chain(seals=seals, problems=tuple(dict.fromkeys(problems)), exchanged=exchanged, unsealed=unsealed)


def find_covering(seals: Mapping[str, Seal], manifest: str) -> list[str]:
    """Return the seals that bind a record, oldest first: those that name it, and those after them."""
    bound = {manifest: None}
    for digest, seal in seals.items():
        if seal.previous in bound or any(each.manifest in bound for each in seal.records):
            bound[digest] = None
    return list(bound)[1:]


def _find_difference(
    sealed: SealedRecord, good: Mapping[str, SealedRecord], strays: Mapping[str, str]
) -> str:
    found = good.get(sealed.manifest)
    if found is None and any(each.envelope == sealed.envelope for each in good.values()):
        return ""  # the same signed bytes, attached by somebody else
    if sealed.manifest in strays:
        return f"the sealed {sealed.name} record {sealed.manifest} does not verify: {strays[sealed.manifest]}"
    if found is None:
        return f"the sealed {sealed.name} record {sealed.manifest} is missing"
    if found.envelope != sealed.envelope:
        return f"the sealed {sealed.name} record {sealed.manifest} has another envelope"
    return ""
