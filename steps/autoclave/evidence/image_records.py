"""Everything that is attached to one image digest, listed and read once.

Whatever is judged later, in whatever order, is judged by this value: what somebody attaches or removes in the
meantime changes nothing of it. Content that the lists name by digest may be read later; it cannot change.
"""

from __future__ import annotations

from msgspec import Struct, structs

from autoclave.evidence import cosign, records
from autoclave.evidence.cosign import Signatures
from autoclave.evidence.records import ARTIFACT_TYPE, Record, Rejected
from autoclave.evidence.trust import Trust
from autoclave.store.base import Store
from autoclave.store.oci import Descriptor


class ImageRecords(Struct, frozen=True, kw_only=True):
    """An image, its verified records (oldest first), what does not verify, and its listed signatures."""

    image: Descriptor
    records: tuple[Record, ...]
    rejected: tuple[Rejected, ...]
    signatures: Signatures

    def add(self, record: Record) -> ImageRecords:
        """Return this with one more verified record."""
        found = sorted((*self.records, record), key=lambda each: each.finished)
        return structs.replace(self, records=tuple(found))

    def add_signature(self, entry: Descriptor) -> ImageRecords:
        """Return this with one more entry in the list of signatures, in place of one that says the same."""
        others = [each for each in self.signatures.layers if cosign.key_of(each) != cosign.key_of(entry)]
        return structs.replace(self, signatures=structs.replace(self.signatures, layers=(*others, entry)))


def read(
    store: Store, image: Descriptor, trust: Trust, *, environment: str = "", production: bool = False
) -> ImageRecords:
    """List what is attached to an image, and read and verify each record (see `records.verify`)."""
    referrers = store.referrers(image.digest)
    good, bad = records.read_listed(
        store,
        [each for each in referrers if each.artifact_type == ARTIFACT_TYPE],
        image.digest,
        trust,
        environment=environment,
        production=production,
    )
    return ImageRecords(
        image=image,
        records=tuple(good),
        rejected=tuple(bad),
        signatures=cosign.list_signatures(store, image.digest, referrers),
    )
