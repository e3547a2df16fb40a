"""Verify what a bundle is made of: before it is written, and offline before any of it is taken in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from autoclave.bundles import collect
from autoclave.bundles.collect import VerifiedImage
from autoclave.bundles.contents import COPIES, RELEASE, TRUST, refusal
from autoclave.bundles.unpack import StagedBundle
from autoclave.errors import RecordError, TimestampError
from autoclave.evidence import cosign, dsse, image_records, predicates, records, seal, trust, trust_export
from autoclave.evidence.image_records import ImageRecords
from autoclave.evidence.records import ARTIFACT_TYPE, CREATED, PREDICATE_TYPE, TITLE, Record, Rejected
from autoclave.evidence.seal import Chain
from autoclave.evidence.statement import VERIFICATION, info
from autoclave.evidence.timestamps import seals
from autoclave.evidence.timestamps.seals import SealStamp
from autoclave.evidence.trust import Trust
from autoclave.model import release
from autoclave.model.digest import digest_of
from autoclave.runtime.shell import Shell
from autoclave.store import artifacts
from autoclave.store.base import Store
from autoclave.store.image import read_identity
from autoclave.store.layout.folder import INDEX_FILE
from autoclave.store.oci import Descriptor, parse_manifest

_LARGEST = 1 << 30


class Means(Struct, frozen=True, kw_only=True):
    """What records are verified with: their store, the shell for `openssl`, trust, and the time."""

    store: Store
    shell: Shell
    trust: Trust
    now: datetime


def read(
    images: Mapping[str, str], device: str, means: Means, *, strict: bool
) -> tuple[list[VerifiedImage], list[Rejected]]:
    """Verify everything attached to images of a device; return it, and what is attached and does not count.

    Raises RecordError or TimestampError for what was made with a trusted key and does not verify, for what is
    not bound to a signature in every byte, and, when `strict`, for anything that does not count.
    """
    verified: list[VerifiedImage] = []
    strays: dict[str, Rejected] = {}
    for name, digest in sorted(images.items()):
        attached = image_records.read(means.store, means.store.find_image(digest), means.trust)
        strays |= {each.digest: each for each in attached.strays}
        if strict:
            _refuse_strays(name, attached.strays)
        verified.append(_verify(name, attached.of(device, name), means))
    return verified, list(strays.values())


def read_own_trust(staged: StagedBundle) -> Trust:
    """Return the trust that the bundle brings itself. Raises BundleError when it leans on other files."""
    with TemporaryDirectory(prefix="autoclave-") as folder:
        path = Path(folder) / "trust.toml"
        path.write_bytes(staged.files[TRUST])
        found = trust.load(path)
    if trust_export.text(found).encode() != staged.files[TRUST]:
        raise refusal(f"its {TRUST} is not as Autoclave writes it")
    return found


def check_contents(staged: StagedBundle, images: Sequence[VerifiedImage]) -> None:
    """Check that the bundle is what would be made of these images: no other byte, and nothing is missing.

    Raises BundleError, StoreError.
    """
    for image in images:
        read_identity(staged.store, image.digest)
        _check_image(staged, image)
    if release.parse(staged.files[RELEASE]).document.images != staged.bundle.images:
        raise refusal(f"its images are not those of {RELEASE}: a release is whole or not at all")
    collected = collect.collect(staged.store, images)
    if odd := sorted(collected.blobs.items() ^ staged.bundle.blobs.items()):
        raise refusal(f"{odd[0][0]} is not both in the head and signed for, with one size")
    if collected.index() != staged.files[INDEX_FILE]:
        raise refusal(f"{INDEX_FILE} is not what follows from the signed records")


def refuse_unreleased(images: Sequence[VerifiedImage]) -> None:
    """Raise BundleError for an image that did not pass its release gate, or that no release key signed."""
    for image in images:
        if image.result != "PASSED" or not image.signers:
            state = (
                "is not signed for release" if image.result == "PASSED" else f"is {image.result or 'missing'}"
            )
            raise refusal(f"it is no release: '{image.name}' {state}; 'autoclave verify FILE' explains it")


def find_attachment(good: Sequence[Record], title: str) -> Descriptor | None:
    """Return a file that the newest verification record holds, or None."""
    newest = records.latest(good, VERIFICATION)
    return records.find_file(newest, title) if newest else None


def _check_image(staged: StagedBundle, image: VerifiedImage) -> None:
    """Check what the head and the files say of an image."""
    bundle = staged.bundle
    summary = records.latest(image.records, VERIFICATION)
    made = info(summary.statement) if summary else None
    if made is None or (made.device, made.device_version, made.image) != (
        bundle.device,
        bundle.version,
        image.name,
    ):
        raise refusal(
            f"the records do not call {image.digest} the image '{image.name}' of {bundle.device} "
            f"{bundle.version}"
        )
    newest = image.chain.newest
    if bundle.seals.get(image.name) != newest or len(bundle.seals) != len(bundle.images):
        raise refusal(f"{newest or 'none'} is the newest seal of '{image.name}', not what it says")
    if image.chain.seals[newest].trust != digest_of(staged.files[TRUST]):
        raise refusal(f"{TRUST} is not the trust file that the newest seal of '{image.name}' names")
    for name, title in COPIES.items():
        held = find_attachment(image.records, title)
        if held is None or held.digest != digest_of(staged.files[name]):
            raise refusal(f"{name} is not the {title} of the release of '{image.name}'")


def _refuse_strays(name: str, strays: Sequence[Rejected]) -> None:
    if strays:
        raise RecordError(
            f"{len(strays)} record(s) of {name} do not verify",
            why="\n".join(f"{each.name} {each.digest}: {each.why}" for each in strays[:20]),
            next="fetch the bundle again from where it was made, or name the trust file with their keys",
        )


def _verify(name: str, attached: ImageRecords, means: Means) -> VerifiedImage:
    good, image = attached.records, attached.image
    if attached.rejected:
        raise RecordError(
            f"{len(attached.rejected)} record(s) of {name} do not verify",
            why="\n".join(f"{each.name} {each.digest}: {each.why}" for each in attached.rejected),
            next="'autoclave verify' explains each",
        )
    chain = seal.check(attached)
    if chain.problems:
        raise RecordError(f"what was sealed of {name} is not all there", why="\n".join(chain.problems))
    if chain.exchanged:
        raise RecordError(
            f"sealed records of {name} were attached anew",
            why="\n".join(f"{each.name} {each.manifest} is not the one attached" for each in chain.exchanged),
            next="restore the store from its archive, and find out who could change it",
        )
    _refuse_unbound(means.store, image, good, chain)
    signed = cosign.find_signatures(means.store, attached.signatures, means.trust.for_role("release"))
    summary = records.latest(good, VERIFICATION)
    return VerifiedImage(
        name=name,
        digest=image.digest,
        records=good,
        signatures=tuple({cosign.key_of(each): cosign.plain_entry(each) for each, _ in signed}.values()),
        signers=tuple(dict.fromkeys(key for _, by in signed for key in by)),
        chain=chain,
        stamps=_verify_stamps(name, good, means),
        result=predicates.result_of(summary.statement) if summary else "",
    )


def _verify_stamps(name: str, good: Sequence[Record], means: Means) -> tuple[SealStamp, ...]:
    authorities = means.trust.authorities
    stamped = seals.verify_stamps(means.store, means.shell, good, authorities, means.now)
    wrong = [each for each in stamped if each.why and not each.lapsed]
    if wrong:
        raise TimestampError(
            f"a time stamp of {name} does not verify",
            why="\n".join(f"seal {each.seal}: {each.why}" for each in wrong),
        )
    return tuple(stamped)


def _refuse_unbound(store: Store, image: Descriptor, good: Sequence[Record], chain: Chain) -> None:
    """Raise RecordError for a record that no seal names, and of which a byte could be another.

    A seal names manifest and envelope by their digests. Until then, both must have the only form that they
    can have.
    """
    sealed = {each.manifest for found in chain.seals.values() for each in found.records}
    sealed |= {found.previous for found in chain.seals.values()}
    for each in good:
        if each.digest in sealed:
            continue
        raw = store.read(each.digest)
        plain = dsse.is_plain(store.read(each.envelope.digest, limit=_LARGEST))
        if not plain or _encode_manifest(image, each, raw) != raw:
            raise RecordError(
                f"the {each.name} record {each.digest} is not as Autoclave writes it",
                why="its signature is good, but other bytes of it are not signed",
                next="remove it; attached again by its step, it is",
            )


def _encode_manifest(image: Descriptor, record: Record, raw: bytes) -> bytes:
    """Return the manifest that a record of this content must have."""
    kind = record.statement.predicate_type
    created = parse_manifest(raw, record.digest).annotations.get(CREATED, "")
    files = [_annotate(each, {TITLE: each.annotations.get(TITLE, "")}) for each in record.attachments]
    return artifacts.encode_artifact(
        image,
        artifact_type=ARTIFACT_TYPE,
        layers=[_annotate(record.envelope, {PREDICATE_TYPE: kind}), *files],
        annotations={PREDICATE_TYPE: kind, CREATED: created},
    )


def _annotate(part: Descriptor, annotations: dict[str, str]) -> Descriptor:
    return Descriptor(media_type=part.media_type, digest=part.digest, size=part.size, annotations=annotations)
