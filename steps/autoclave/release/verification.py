"""Read everything attached to an image, verified, as the evidence that the late gates judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from msgspec import Struct, structs

from autoclave.context import Context
from autoclave.device.schema import Image
from autoclave.errors import AutoclaveError, RecordError
from autoclave.evidence import cosign, predicates, records, sbom, seal
from autoclave.evidence.records import Record, Rejected
from autoclave.evidence.statement import (
    APPROVAL,
    DEPLOYMENT,
    PROVENANCE,
    SBOM,
    TEST_RESULT,
    VERIFICATION,
    VULNS,
    info,
)
from autoclave.evidence.timestamps import seals
from autoclave.gates.deploy import Candidate, is_production
from autoclave.gates.release import Evidence
from autoclave.model.declared import Approval, Component, Declared, Person, SignedApproval
from autoclave.model.facts import BuildFacts, Deployment, ScanFacts, TestRun
from autoclave.release import decisions
from autoclave.store.base import Store
from autoclave.store.image import read_identity
from autoclave.store.oci import Descriptor

F = TypeVar("F", bound=Struct)


class Release(Struct, frozen=True, kw_only=True):
    """The evidence of one image, and the good records it was read from, oldest first."""

    evidence: Evidence
    records: tuple[Record, ...]


def read_release(descriptor: Descriptor, image: Image, ctx: Context, *, environment: str = "") -> Release:
    """Verify every record attached to an image digest and return what they say of this image of this device.

    Records that call the digest another image, or of another device, count for nothing here.

    For an environment, only keys count that may sign for it, and production takes no development
    key. A record that does not verify is evidence of tampering: it stays in `rejected`.
    """
    production = bool(environment) and is_production(environment, ctx.policy)
    good, bad = records.read_all(
        ctx.store, descriptor.digest, ctx.trust, environment=environment, production=production
    )
    bad += _seal_problems(good, bad, descriptor.digest, ctx.store)
    good = [each for each in good if _is_of(each, image, ctx)]
    build = _facts(good, bad, PROVENANCE, BuildFacts)
    unit_test = _facts(good, bad, TEST_RESULT, TestRun)
    scans = _scans(good, bad)
    summary = records.latest(good, VERIFICATION)
    components = _components(good, bad)
    evidence = Evidence(
        finished={each.name: each.finished for each in good},
        rejected=tuple((each.name, each.why) for each in bad),
        build=build,
        unit_test=unit_test,
        scans=scans,
        config=read_identity(ctx.store, descriptor.digest).config,
        device=ctx.device.device.name,
        digest=descriptor.digest,
        components=components,
        declared=decisions.declared_of(summary) if summary else Declared(),
        waivers=decisions.decisions_of(summary, ctx) if summary else (),
        unjudged=summary is None,
    )
    return Release(evidence=evidence, records=tuple(good))


def read_candidate(descriptor: Descriptor, image: Image, ctx: Context, environment: str) -> Candidate:
    """Return what deploy must judge for one image and one environment."""
    verified = read_release(descriptor, image, ctx, environment=environment)
    summary = records.latest(verified.records, VERIFICATION)
    production = is_production(environment, ctx.policy)
    try:
        cosign.verify_signature(
            ctx.store,
            descriptor.digest,
            ctx.trust.for_role("release", environment=environment, production=production),
        )
        signature = ""
    except RecordError as error:
        signature = f"{error.what}: {error.why}"
    return Candidate(
        evidence=structs.replace(verified.evidence, runs=runs_of(verified.evidence, image, ctx, environment)),
        summary=predicates.result_of(summary.statement) if summary else "",
        verified=summary.finished if summary else None,
        signature=signature,
        environment=environment,
        target=ctx.device.find_environment(environment).target,
        timestamp=timestamp_of(verified, summary, ctx),
        approvals=approvals_of(verified.records, summary, environment),
    )


def timestamp_of(verified: Release, summary: Record | None, ctx: Context) -> str:
    """Return why no time stamp holds that the policy demands; empty when one does, or none is demanded."""
    if summary is None or not ctx.policy.release.timestamp:
        return ""
    stamped = seals.verify_stamps(ctx.store, ctx.shell, verified.records, ctx.trust.authorities, ctx.now())
    return seals.explain_missing(verified.records, stamped, summary)


def runs_of(evidence: Evidence, image: Image, ctx: Context, environment: str) -> dict[str, TestRun | None]:
    """Return the test runs of all images that were released together with this one."""
    runs = {image.name: evidence.unit_test}
    for name, digest in evidence.declared.together.items():
        if name not in runs and any(each.name == name for each in ctx.device.image):
            other = read_release(
                ctx.store.find_image(digest), ctx.device.find_image(name), ctx, environment=environment
            )
            runs[name] = other.evidence.unit_test
    return runs


def approvals_of(
    good: Sequence[Record], summary: Record | None, environment: str
) -> tuple[SignedApproval, ...]:
    """Return the approvals for an environment among good records, oldest first, each with its defect.

    The printed name and the role must be those of the key's holder, as trust names them today; an approval
    is of one verification, and counts for no later one.
    """
    found = []
    for record in good:
        if record.statement.predicate_type != APPROVAL or records.environment_of(record) != environment:
            continue
        said, about = predicates.decode_approval(record.statement)
        person = next((each.person for each in record.keys if each.person), None)
        defect = _approval_defect(said, person, about, summary)
        found.append(SignedApproval(approval=said, record=record.digest, person=person, defect=defect))
    return tuple(found)


def _approval_defect(said: Approval, person: Person | None, about: str, summary: Record | None) -> str:
    if person is None:
        return "it is signed with no person's key"
    if (said.user, said.printed_name) != (person.id, person.name):
        return f"it names {said.printed_name} ({said.user}), the key is {person.name}'s"
    if said.role not in person.roles:
        return f"{person.name} has no role '{said.role}'"
    if summary is None or about != summary.digest:
        return "it is about an earlier verification of the image: approve again"
    return ""


def deployments_of(descriptor: Descriptor, image: Image, ctx: Context, environment: str) -> list[Deployment]:
    """Return what trusted records tell of deployments of an image digest, oldest first."""
    production = is_production(environment, ctx.policy)
    good, _ = records.read_all(
        ctx.store, descriptor.digest, ctx.trust, environment=environment, production=production
    )
    return [
        predicates.facts_of(each.statement, Deployment)
        for each in good
        if each.statement.predicate_type == DEPLOYMENT and _is_of(each, image, ctx)
    ]


def foreign_release(digest: str, ctx: Context, environment: str) -> str:
    """Return why the image of somebody else is no release that may run here; empty when it is one.

    It must be in the store, signed by a release key that is trusted for the environment, and verified.
    """
    production = is_production(environment, ctx.policy)
    try:
        ctx.store.find_image(digest)
        keys = ctx.trust.for_role("release", environment=environment, production=production)
        cosign.verify_signature(ctx.store, digest, keys)
        good, _ = records.read_all(
            ctx.store, digest, ctx.trust, environment=environment, production=production
        )
    except AutoclaveError as error:
        return f"{error.what}: {error.why}" if error.why else error.what
    summary = records.latest(good, VERIFICATION)
    result = predicates.result_of(summary.statement) if summary else "missing"
    return "" if result == "PASSED" else f"its verification record is {result}"


def _seal_problems(good: list[Record], bad: list[Rejected], digest: str, store: Store) -> list[Rejected]:
    """Return what the seals miss, as rejected records: a record was removed or exchanged."""
    try:
        problems = seal.check(good, bad, seal.read_signatures(store, digest)).problems
    except RecordError as error:
        problems = (f"{error.what}: {error.why}",)
    return [Rejected(digest=digest, name="seal", why=why) for why in problems]


def _is_of(record: Record, image: Image, ctx: Context) -> bool:
    """Tell whether a record is about this image of this device; an SBOM tells the digest alone."""
    if record.statement.predicate_type == SBOM:
        return True
    made = info(record.statement)
    return (made.device, made.image) == (ctx.device.device.name, image.name)


def _components(good: Sequence[Record], bad: list[Rejected]) -> tuple[Component, ...]:
    """Return what any scanner's newest SBOM names, each component once."""
    found: dict[Component, None] = {}
    for record in records.latest_of_each(good, SBOM).values():
        try:
            found |= dict.fromkeys(sbom.components(record.statement))
        except RecordError as error:
            bad.append(Rejected(digest=record.digest, name="sbom", why=error.what))
    return tuple(found)


def _scans(good: Sequence[Record], bad: list[Rejected]) -> tuple[ScanFacts, ...]:
    """Return the facts of each scanner's newest record; what cannot be read joins the rejected ones."""
    newest = records.latest_of_each(good, VULNS).values()
    found = [_facts_of(each, bad, ScanFacts) for each in newest]
    return tuple(each for each in found if each)


def _facts(good: Sequence[Record], bad: list[Rejected], predicate_type: str, kind: type[F]) -> F | None:
    """Return the facts of the newest record of a type; what cannot be read joins the rejected ones."""
    record = records.latest(good, predicate_type)
    return _facts_of(record, bad, kind) if record else None


def _facts_of(record: Record, bad: list[Rejected], kind: type[F]) -> F | None:
    try:
        return predicates.facts_of(record.statement, kind)
    except RecordError as error:
        bad.append(Rejected(digest=record.digest, name=record.name, why=f"{error.what}: {error.why}"))
        return None
