"""Read what is known of an image from the store, every record verified."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import structs

from autoclave.context import Context
from autoclave.device.schema import Image
from autoclave.errors import AutoclaveError, RecordError
from autoclave.evidence import cosign, predicates, records
from autoclave.evidence.records import TITLE, Record
from autoclave.evidence.statement import DEPLOYMENT, VERIFICATION
from autoclave.evidence.timestamps import seals
from autoclave.gates.deploy import is_production
from autoclave.model.declared import SignedApproval
from autoclave.model.facts import Deployment
from autoclave.release import decisions
from autoclave.release.verification import Release, approvals_of, read_release, runs_of, timestamp_of
from autoclave.report import clauses
from autoclave.report.inputs import Inputs, RecordedDeployment, Snapshot
from autoclave.store.oci import Descriptor


def read_inputs(descriptor: Descriptor, image: Image, ctx: Context) -> Inputs:
    """Return everything that is known of an image digest of this device."""
    verified = read_release(descriptor, image, ctx)
    summary = records.latest(verified.records, VERIFICATION)
    previous, note = _previous(verified, image, ctx)
    return Inputs(
        device=ctx.device.device.name,
        version=ctx.device.device.version,
        safety_class=ctx.device.device.safety_class,
        image=image.name,
        evidence=structs.replace(verified.evidence, runs=runs_of(verified.evidence, image, ctx, "")),
        records=verified.records,
        summary=predicates.result_of(summary.statement) if summary else "",
        signature=_signature(descriptor, ctx),
        policy=ctx.policy,
        policy_digest=ctx.policy_digest,
        policy_then=_policy(summary, ctx),
        trust=ctx.trust.source,
        now=ctx.now(),
        sources=clauses.load(),
        approvals=_approvals(verified, summary),
        deployments=tuple(
            RecordedDeployment(each, predicates.facts_of(each.statement, Deployment))
            for each in verified.records
            if each.statement.predicate_type == DEPLOYMENT
        ),
        timestamp=timestamp_of(verified, summary, ctx),
        stamps=tuple(
            seals.verify_stamps(ctx.store, ctx.shell, verified.records, ctx.trust.authorities, ctx.now())
        ),
        previous=previous,
        previous_note=note,
    )


def production_environments(ctx: Context) -> list[str]:
    """Return the device's environments that are production."""
    return [each.name for each in ctx.device.environment if is_production(each.name, ctx.policy)]


def _signature(descriptor: Descriptor, ctx: Context) -> str:
    try:
        cosign.verify_signature(ctx.store, descriptor.digest, ctx.trust.for_role("release"))
    except RecordError as error:
        return f"{error.what}: {error.why}"
    return ""


def _approvals(verified: Release, summary: Record | None) -> tuple[SignedApproval, ...]:
    places = sorted({place for each in verified.records if (place := records.environment_of(each))})
    return tuple(one for place in places for one in approvals_of(verified.records, summary, place))


def _previous(verified: Release, image: Image, ctx: Context) -> tuple[Snapshot | None, str]:
    """Return the last release when the store has it, else why not."""
    digest = verified.evidence.declared.previous
    if not digest:
        return None, ""
    try:
        former = read_release(ctx.store.find_image(digest), image, ctx)
    except AutoclaveError as error:
        return None, f"the last release cannot be read here: {error.what}"
    summary = records.latest(former.records, VERIFICATION)
    return Snapshot(evidence=former.evidence, policy=_policy(summary, ctx)), ""


def _policy(summary: Record | None, ctx: Context) -> dict[str, Any] | None:
    """Return the policy that a release took along, by key."""
    for each in summary.attachments if summary else ():
        if each.annotations.get(TITLE) == decisions.POLICY:
            try:
                return msgspec.json.decode(ctx.store.read(each.digest), type=dict[str, Any])
            except (msgspec.DecodeError, AutoclaveError):
                return None
    return None
