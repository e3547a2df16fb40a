"""Read and verify everything that is attached to an image, once, and say what it is evidence of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from msgspec import Struct, structs

from autoclave.context import Context
from autoclave.device.schema import Image
from autoclave.errors import RecordError
from autoclave.evidence import cosign, image_records, predicates, records, sbom, seal
from autoclave.evidence.image_records import ImageRecords
from autoclave.evidence.records import RawRecord, Record, Rejected
from autoclave.evidence.statement import PROVENANCE, SBOM, TEST_RESULT, VERIFICATION, VULNS, info
from autoclave.evidence.trust import TrustedKey
from autoclave.evidence.trust_reasons import explain_refusal
from autoclave.gates.release import Evidence
from autoclave.model import steps
from autoclave.model.declared import Component, Declared
from autoclave.model.facts import BuildFacts, Origin, ScanFacts, TestRun
from autoclave.model.place import Destination
from autoclave.model.release import TITLE
from autoclave.release import decisions
from autoclave.release.products import find_product
from autoclave.store.image import read_identity
from autoclave.store.oci import Descriptor

F = TypeVar("F", bound=Struct)


class Release(Struct, frozen=True, kw_only=True):
    """The release record of one image, as it was read once for one step.

    `attached` is everything that is attached to the digest. `records` are its good ones, oldest first;
    `evidence` is what they say. `destination` is the one for which the keys were judged; None before there is
    one. `named` is the digest of the release that the image is read for: only a verification of exactly that
    one counts. Empty: the newest verification counts.
    """

    image: Image
    destination: Destination | None
    named: str
    attached: ImageRecords
    records: tuple[Record, ...]
    evidence: Evidence

    @property
    def descriptor(self) -> Descriptor:
        """The image's descriptor."""
        return self.attached.image

    @property
    def digest(self) -> str:
        """The image's digest."""
        return self.attached.image.digest

    @property
    def bound_for(self) -> Destination:
        """Where it is to run. Raises ValueError for a release that was read for no destination."""
        if self.destination is None:
            raise ValueError(f"{self.image.name} was read for no destination")
        return self.destination

    @property
    def summary(self) -> Record | None:
        """The newest verification record of the release: what the release gate concluded."""
        return find_verification(self.records, self.named)

    @property
    def result(self) -> str:
        """The result of the release's verification, PASSED or FAILED; empty when there is none.

        A verification of the image that failed later, for whatever release, takes it back.
        """
        summary, newest = self.summary, find_verification(self.records)
        if summary is None or newest is None:
            return ""
        results = {predicates.result_of(each.statement) for each in (summary, newest)}
        return "PASSED" if results == {"PASSED"} else "FAILED"


def read(
    image: Image, descriptor: Descriptor, ctx: Context, *, destination: Destination | None = None
) -> Release:
    """Read and verify every record attached to an image digest, once for everything that a step does with it.

    For a destination, only keys count that may sign for its place, and production takes no development
    key. What a trusted key signed and does not verify is evidence of tampering: it stays in the evidence's
    `rejected`. What anybody can attach, records about another image or device among it, is its `strays`: it
    is reported, and counts for nothing.
    """
    attached = read_attached(descriptor, ctx, destination)
    opened = ctx.released
    named = opened.digest if opened and descriptor.digest in opened.document.images.values() else ""
    attached = attached.of(ctx.device.device.name, image.name)
    good = attached.records
    bad = [*attached.rejected, *_seal_problems(attached)]
    build = _facts(good, bad, PROVENANCE, BuildFacts)
    unit_test = _facts(good, bad, TEST_RESULT, TestRun)
    scans = _scans(good, bad)
    own = {PROVENANCE, TEST_RESULT, VULNS}
    others = {
        each.name: _facts(good, bad, each.predicate_type, each.facts)
        for each in steps.CHECKS
        if each.predicate_type not in own
    }
    summary = find_verification(good, named)
    components = _components(good, bad)
    evidence = Evidence(
        finished={each.name: each.finished for each in good},
        rejected=tuple((each.name, each.why) for each in bad),
        strays=tuple((each.name, each.why) for each in attached.strays),
        build=build,
        unit_test=unit_test,
        scans=scans,
        config=read_identity(ctx.store, descriptor.digest).config,
        device=ctx.device.device.name,
        product=find_product(image.name, descriptor.digest, ctx),
        components=components,
        declared=decisions.declared_of(summary) if summary else Declared(),
        waivers=decisions.decisions_of(summary, ctx) if summary else (),
        unjudged=summary is None,
        others=others,
        origins=_origins(good),
    )
    return Release(
        image=image,
        destination=destination,
        named=named,
        attached=attached,
        records=good,
        evidence=evidence,
    )


def find_verification(good: Sequence[Record], named: str = "") -> Record | None:
    """Return the newest verification record, or the newest one of the release of that digest."""
    found = [each for each in good if each.statement.predicate_type == VERIFICATION]
    if named:
        found = [each for each in found if info(each.statement).files.get(TITLE) == named]
    return found[-1] if found else None


def read_attached(
    descriptor: Descriptor, ctx: Context, destination: Destination | None = None
) -> ImageRecords:
    """Read and verify what is attached to an image digest, of whatever device (see `read`)."""
    return image_records.read(ctx.store, descriptor, ctx.trust, destination=destination)


def add(release: Release, raw: RawRecord, ctx: Context) -> Release:
    """Return a release with a record that was attached to it just now, verified as every other one is.

    The bytes are those that were written: nothing is read back. The evidence stays what was judged. Raises
    RecordError when the record does not verify.
    """
    attached = release.attached.add(records.verify(raw, release.digest, ctx.trust))
    attached = attached.of(ctx.device.device.name, release.image.name)
    return structs.replace(release, attached=attached, records=attached.records)


def verify_signature(release: Release, ctx: Context) -> list[TrustedKey]:
    """Return the trusted release keys that signed the image. Raises RecordError when none did."""
    return verify_attached_signature(release.attached, ctx, release.destination)


def verify_attached_signature(
    attached: ImageRecords, ctx: Context, destination: Destination | None = None
) -> list[TrustedKey]:
    """Return the trusted release keys that signed an image. Raises RecordError when none did."""
    place = destination.place if destination else None
    production = destination is not None and destination.production
    keys = ctx.trust.for_role("release", place=place, production=production)
    try:
        return cosign.verify_signature(ctx.store, attached.signatures, keys)
    except RecordError as error:
        listed = cosign.find_signatures(ctx.store, attached.signatures, ctx.trust.keys)
        if known := tuple(dict.fromkeys(key for _, by in listed for key in by)):
            why = explain_refusal(known, ("release",), ctx.trust, place=place, production=production)
            error.why = f"{error.why}; {why}"
        raise


def explain_unsigned(release: Release, ctx: Context) -> str:
    """Return why no trusted release key signed the image; empty when one did."""
    try:
        verify_signature(release, ctx)
    except RecordError as error:
        return f"{error.what}: {error.why}"
    return ""


_MADE_FROM = {name for each in steps.CHECKS for name, _ in each.records if name != "sbom"} | {"verification"}

Runs = Mapping[str, TestRun | None]
"""The newest verified test run of each image of a device, by the image's name."""


def read_runs(releases: Sequence[Release], ctx: Context) -> list[Runs]:
    """Return, for each release, the test runs of all images that were released together with it.

    Images that are not among `releases` are read, each once. Raises StoreError when the store lacks one.
    """
    known = {(each.image.name, each.digest): each for each in releases}
    found: list[Runs] = []
    for release in releases:
        runs = {release.image.name: release.evidence.unit_test}
        for name, digest in release.evidence.declared.together.items():
            if name in runs or all(each.name != name for each in ctx.device.image):
                continue
            if (name, digest) not in known:
                image, descriptor = ctx.device.find_image(name), ctx.store.find_image(digest)
                known[name, digest] = read(image, descriptor, ctx, destination=release.destination)
            runs[name] = known[name, digest].evidence.unit_test
        found.append(runs)
    return found


def _seal_problems(attached: ImageRecords) -> list[Rejected]:
    """Return what the seals miss, as rejected records: a record was removed or exchanged."""
    try:
        problems = seal.check(attached).problems
    except RecordError as error:
        problems = (f"{error.what}: {error.why}",)
    return [Rejected(digest=attached.image.digest, name="seal", why=why, stray=False) for why in problems]


def _components(good: Sequence[Record], bad: list[Rejected]) -> tuple[Component, ...]:
    """Return what any scanner's newest SBOM names, each component once."""
    found: dict[Component, None] = {}
    for record in records.latest_of_each(good, SBOM).values():
        try:
            found |= dict.fromkeys(sbom.components(record.statement))
        except RecordError as error:
            bad.append(Rejected(digest=record.digest, name="sbom", why=error.what, stray=False))
    return tuple(found)


def _scans(good: Sequence[Record], bad: list[Rejected]) -> tuple[ScanFacts, ...]:
    """Return the facts of each scanner's newest record; what cannot be read joins the rejected ones."""
    newest = records.latest_of_each(good, VULNS).values()
    found = [_facts_of(each, bad, ScanFacts) for each in newest]
    return tuple(each for each in found if each)


def _origins(good: Sequence[Record]) -> dict[str, Origin]:
    """Return what the newest record of each step and scanner is made from."""
    newest = {each.name: each for each in good if each.name in _MADE_FROM}
    for scanner, record in records.latest_of_each(good, VULNS).items():
        if record is not newest["vulns"]:
            newest[f"vulns ({scanner})"] = record
    made = {name: info(record.statement) for name, record in newest.items()}
    return {name: Origin(each.commit, each.tree) for name, each in made.items()}


def _facts(good: Sequence[Record], bad: list[Rejected], predicate_type: str, kind: type[F]) -> F | None:
    """Return the facts of the newest record of a type; what cannot be read joins the rejected ones."""
    record = records.latest(good, predicate_type)
    return _facts_of(record, bad, kind) if record else None


def _facts_of(record: Record, bad: list[Rejected], kind: type[F]) -> F | None:
    try:
        return predicates.facts_of(record.statement, kind)
    except RecordError as error:
        why = f"{error.what}: {error.why}"
        bad.append(Rejected(digest=record.digest, name=record.name, why=why, stray=False))
        return None
