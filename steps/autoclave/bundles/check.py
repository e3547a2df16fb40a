"""Check what was unpacked, offline, before any of it is taken in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from autoclave.bundles import collect, contents, keys
from autoclave.bundles.contents import refusal
from autoclave.bundles.unpack import StagedBundle
from autoclave.errors import RecordError, TimestampError
from autoclave.evidence import image_records, predicates, records, seal, trust, trust_export
from autoclave.evidence.records import Record
from autoclave.evidence.seal import Chain
from autoclave.evidence.statement import VERIFICATION, info
from autoclave.evidence.timestamps import seals
from autoclave.evidence.timestamps.seals import SealStamp
from autoclave.evidence.trust import Trust
from autoclave.runtime.shell import Shell
from autoclave.store.base import Store
from autoclave.store.image import read_identity
from autoclave.store.layout.folder import INDEX_FILE

DEVICE_TITLE = "autoclave.toml"
POLICY_TITLE = "policy.json"


class VerifiedImage(Struct, frozen=True, kw_only=True):
    """One image whose records verify: these, the seals, time stamps, and the result of the release gate."""

    name: str
    digest: str
    records: tuple[Record, ...]
    chain: Chain
    stamps: tuple[SealStamp, ...]
    result: str


def read(
    store: Store, shell: Shell, images: Mapping[str, str], trusted: Trust, now: datetime
) -> list[VerifiedImage]:
    """Verify everything attached to images. Raises RecordError or TimestampError for what does not verify."""
    return [_read_image(store, shell, each, trusted, now) for each in sorted(images.items())]


def read_own_trust(staged: StagedBundle) -> Trust:
    """Return the trust that the bundle brings itself. Raises BundleError when it leans on other files."""
    with TemporaryDirectory(prefix="autoclave-") as folder:
        path = Path(folder) / "trust.toml"
        path.write_bytes(staged.files[contents.TRUST])
        found = trust.load(path)
    if trust_export.text(found).encode() != staged.files[contents.TRUST]:
        raise refusal(f"its {contents.TRUST} is not as Autoclave writes it")
    if keys.files(found) != {
        name: raw for name, raw in staged.files.items() if name.startswith(contents.KEYS)
    }:
        raise refusal(f"the files in {contents.KEYS} are not the keys of {contents.TRUST}")
    return found


def check_layout(staged: StagedBundle) -> None:
    """Check that index, head and blobs name the same images, whole. Raises BundleError, StoreError."""
    found = collect.find_reachable(staged.store, staged.files[INDEX_FILE], INDEX_FILE)
    if found != staged.bundle.blobs:
        odd = sorted(found.items() ^ staged.bundle.blobs.items())[0][0]
        raise refusal(f"{odd} is not both in the index and in the head, with one size")
    for name, digest in staged.bundle.images.items():
        if getattr(staged.store.find(name), "digest", "") != digest:
            raise refusal(f"the index does not name {digest} as '{name}'")
        read_identity(staged.store, digest)


def check_head(staged: StagedBundle, images: Sequence[VerifiedImage]) -> None:
    """Check what the head says of the records, and that nothing signed contradicts the device file."""
    bundle = staged.bundle
    for image in images:
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
        if bundle.seals.get(image.name) != image.chain.newest:
            raise refusal(
                f"{image.chain.newest or 'none'} is the newest seal of '{image.name}', not what it says"
            )
        held = read_attachment(staged.store, image.records, DEVICE_TITLE)
        if held is not None and held != staged.files[contents.DEVICE]:
            raise refusal(f"{contents.DEVICE} is not the autoclave.toml of the release")


def read_attachment(store: Store, good: Sequence[Record], title: str) -> bytes | None:
    """Return a file that the newest verification record holds, or None."""
    newest = records.latest(good, VERIFICATION)
    file = records.find_file(newest, title) if newest else None
    return store.read(file.digest) if file else None


def _read_image(
    store: Store, shell: Shell, named: tuple[str, str], trusted: Trust, now: datetime
) -> VerifiedImage:
    name, digest = named
    attached = image_records.read(store, store.find_image(digest), trusted)
    good = attached.records
    if attached.rejected:
        raise RecordError(
            f"{len(attached.rejected)} record(s) of {name} do not verify",
            why="\n".join(f"{each.name} {each.digest}: {each.why}" for each in attached.rejected),
            next="'autoclave verify' explains each",
        )
    chain = seal.check(attached)
    if chain.problems:
        raise RecordError(f"what was sealed of {name} is not all there", why="\n".join(chain.problems))
    stamped = seals.verify_stamps(store, shell, good, trusted.authorities, now)
    wrong = [each for each in stamped if each.why and not each.lapsed]
    if wrong:
        raise TimestampError(
            f"a time stamp of {name} does not verify",
            why="\n".join(f"seal {each.seal}: {each.why}" for each in wrong),
        )
    summary = records.latest(good, VERIFICATION)
    result = predicates.result_of(summary.statement) if summary else ""
    return VerifiedImage(
        name=name, digest=digest, records=good, chain=chain, stamps=tuple(stamped), result=result
    )
