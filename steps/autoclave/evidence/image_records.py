"""Everything that is attached to one image digest, listed and read once.

Whatever is judged later, in whatever order, is judged by this value: what somebody attaches or removes in the
meantime changes nothing of it. Content that the lists name by digest may be read later; it cannot change.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct, structs

from autoclave.evidence import cosign, records
from autoclave.evidence.cosign import Signatures
from autoclave.evidence.records import ARTIFACT_TYPE, Record, Rejected
from autoclave.evidence.statement import SBOM, SEAL, info
from autoclave.evidence.trust import Trust
from autoclave.model.place import Destination
from autoclave.store.base import Store
from autoclave.store.oci import Descriptor


class ImageRecords(Struct, frozen=True, kw_only=True):
    """An image, its verified records (oldest first), what does not verify, and its listed signatures.

    `rejected` is what a trusted key signed and is wrong: a gate closes for it. `strays` is what anybody who
    may write to the store can attach: it is reported, and counts for nothing.
    """

    image: Descriptor
    records: tuple[Record, ...]
    rejected: tuple[Rejected, ...]
    strays: tuple[Rejected, ...]
    signatures: Signatures

    def of(self, device: str, image: str) -> ImageRecords:
        """Return this with the records of one image of one device; those of others become strays.

        The same content may be an image of several devices.
        """
        other = [each for each in self.records if not is_of(each, device, image)]
        named = [
            Rejected(digest=each.digest, name=each.name, why=_explain_other(each), stray=True)
            for each in other
        ]
        return structs.replace(
            self,
            records=tuple(each for each in self.records if each not in other),
            strays=(*self.strays, *named),
        )

    def add(self, record: Record) -> ImageRecords:
        """Return this with one more verified record."""
        found = sorted((*self.records, record), key=lambda each: each.finished)
        return structs.replace(self, records=tuple(found))

    def add_signature(self, entry: Descriptor) -> ImageRecords:
        """Return this with one more entry in the list of signatures, in place of one that says the same."""
        others = [each for each in self.signatures.layers if cosign.key_of(each) != cosign.key_of(entry)]
        return structs.replace(self, signatures=structs.replace(self.signatures, layers=(*others, entry)))


def read(
    store: Store, image: Descriptor, trust: Trust, *, destination: Destination | None = None
) -> ImageRecords:
    """List what is attached to an image, and read and verify each record (see `records.verify`)."""
    referrers = store.referrers(image.digest)
    good, bad = records.read_listed(
        store,
        [each for each in referrers if each.artifact_type == ARTIFACT_TYPE],
        image.digest,
        trust,
        destination=destination,
    )
    once = _find_first(good)
    again = [
        Rejected(
            digest=each.digest, name=each.name, why=f"it is {once[each.envelope.digest]} again", stray=True
        )
        for each in good
        if each.digest not in once.values()
    ]
    return ImageRecords(
        image=image,
        records=tuple(each for each in good if each.digest in once.values()),
        rejected=tuple(each for each in bad if not each.stray),
        strays=(*(each for each in bad if each.stray), *again),
        signatures=cosign.list_signatures(store, image.digest, referrers),
    )


def _find_first(good: Sequence[Record]) -> dict[str, str]:
    """Return the record of each envelope: the one that a seal names, else the oldest.

    An envelope is public: whoever may write to the store can attach it a second time.
    """
    named: set[str] = set()
    for each in good:
        if each.statement.predicate_type == SEAL:
            with suppress(msgspec.DecodeError):
                facts = msgspec.json.decode(each.statement.predicate, type=_Sealing).facts
                named |= {facts.previous, *(sealed.manifest for sealed in facts.records)}
    found: dict[str, str] = {}
    for each in sorted(good, key=lambda each: each.digest not in named):
        found.setdefault(each.envelope.digest, each.digest)
    return found


class _Named(Struct):
    manifest: str


class _Facts(Struct):
    records: list[_Named]
    previous: str


class _Sealing(Struct):
    facts: _Facts


def is_of(record: Record, device: str, image: str) -> bool:
    """Return whether a record is about this image of this device; an SBOM names the digest alone."""
    if record.statement.predicate_type == SBOM:
        return True
    made = info(record.statement)
    return (made.device, made.image) == (device, image)


def _explain_other(record: Record) -> str:
    made = info(record.statement)
    return f"the record is about the image '{made.image}' of the device '{made.device}'"
