"""Read what is known of an image from the store, every record verified."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import structs

from autoclave import release
from autoclave.context import Context
from autoclave.device.schema import Image
from autoclave.errors import AutoclaveError
from autoclave.evidence import predicates, records
from autoclave.evidence.statement import DEPLOYMENT
from autoclave.model.declared import SignedApproval
from autoclave.model.facts import Deployment
from autoclave.model.place import find_match
from autoclave.release import Release
from autoclave.release.candidate import approvals_of, explain_unstamped, verify_stamps
from autoclave.release.decisions import policy_of_day
from autoclave.release.verification import explain_unsigned
from autoclave.report import clauses
from autoclave.report.inputs import Inputs, RecordedDeployment, Snapshot
from autoclave.store.oci import Descriptor


def read_inputs(descriptor: Descriptor, image: Image, ctx: Context) -> Inputs:
    """Return everything that is known of an image digest of this device."""
    found = release.read(image, descriptor, ctx)
    (runs,) = release.read_runs([found], ctx)
    stamps = verify_stamps(found, ctx)
    policy, policy_note = _policy(found, ctx)
    previous, note = _previous(found, ctx)
    return Inputs(
        device=ctx.device.device.name,
        version=ctx.device.device.version,
        safety_class=ctx.device.device.safety_class,
        image=image.name,
        evidence=structs.replace(found.evidence, runs=runs),
        records=found.records,
        summary=found.result,
        signature=explain_unsigned(found, ctx),
        policy=ctx.policy,
        policy_digest=ctx.policy_digest,
        policy_then=policy,
        policy_note=policy_note,
        trust=ctx.trust.source,
        now=ctx.now(),
        sources=clauses.load(),
        approvals=_approvals(found),
        deployments=tuple(
            RecordedDeployment(each, predicates.facts_of(each.statement, Deployment))
            for each in found.records
            if each.statement.predicate_type == DEPLOYMENT
        ),
        timestamp=explain_unstamped(found, stamps, ctx),
        stamps=stamps,
        previous=previous,
        previous_note=note,
    )


def production_environments(known: Inputs, ctx: Context) -> list[str]:
    """Return the device's environments that are production: by the place where each deployed last.

    One without a record of a deployment is production, whatever is reached from where the report is made.
    """
    places = {each.facts.environment: each.facts.place for each in known.deployments}
    exempt = ctx.policy.production.exempt
    return [
        each.name
        for each in ctx.device.environment
        if each.production or not find_match(places.get(each.name, ""), exempt)
    ]


def _approvals(found: Release) -> tuple[SignedApproval, ...]:
    """Return the approvals for each environment, held to the place where it deployed last."""
    made = [each for each in found.records if each.statement.predicate_type == DEPLOYMENT]
    last = [predicates.facts_of(each.statement, Deployment) for each in made]
    places = {each.environment: each.place for each in last}
    names = sorted({name for each in found.records if (name := records.environment_of(each))})
    return tuple(one for name in names for one in approvals_of(found, name, places.get(name)))


def _previous(found: Release, ctx: Context) -> tuple[Snapshot | None, str]:
    """Return the last release when the store has it, else why not."""
    digest = found.evidence.declared.previous
    if not digest:
        return None, ""
    try:
        previous = release.read(found.image, ctx.store.find_image(digest), ctx)
    except AutoclaveError as error:
        return None, f"the last release cannot be read here: {error.what}"
    return Snapshot(evidence=previous.evidence, policy=_policy(previous, ctx)[0]), ""


def _policy(found: Release, ctx: Context) -> tuple[dict[str, Any] | None, str]:
    """Return the policy of the day by key, None when it is unknown, and why it cannot be read, if so."""
    try:
        policy = policy_of_day(found.summary, ctx)
    except AutoclaveError as error:
        return None, f"{error.what}: {error.why}"
    return (msgspec.to_builtins(policy) if policy else None), ""
