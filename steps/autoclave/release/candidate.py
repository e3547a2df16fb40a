"""What the deploy gate judges of a release: its evidence, signature, time stamps and approvals."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from autoclave.context import Context
from autoclave.evidence import predicates, records
from autoclave.evidence.records import Record
from autoclave.evidence.statement import APPROVAL
from autoclave.evidence.timestamps import seals
from autoclave.evidence.timestamps.seals import SealStamp
from autoclave.gates import deploy as gate
from autoclave.gates.deploy import Candidate
from autoclave.model.declared import Approval, Person, SignedApproval
from autoclave.model.verdict import Verdict
from autoclave.release.verification import Release, Runs, explain_unsigned, read_runs


def judge(releases: Sequence[Release], target: str, ctx: Context) -> list[tuple[Release, Verdict]]:
    """Judge the images of one release for the kind of place, anew; return a verdict for each."""
    return [
        (each, gate.judge(candidate_of(each, runs, target, ctx), ctx.policy, ctx.now()))
        for each, runs in zip(releases, read_runs(releases, ctx), strict=True)
    ]


def candidate_of(release: Release, runs: Runs, target: str, ctx: Context) -> Candidate:
    """Return what deploy judges for one image; `runs` are those of all images released together with it."""
    destination, summary = release.bound_for, release.summary
    stamps = verify_stamps(release, ctx) if summary and ctx.policy.release.timestamp else ()
    return Candidate(
        evidence=structs.replace(release.evidence, runs=runs),
        summary=release.result,
        verified=summary.finished if summary else None,
        signature=explain_unsigned(release, ctx),
        production=destination.production,
        target=target,
        timestamp=explain_unstamped(release, stamps, ctx),
        approvals=approvals_of(release, destination.environment, destination.place),
    )


def verify_stamps(release: Release, ctx: Context) -> tuple[SealStamp, ...]:
    """Return the time stamps of the release's seals, oldest first, each verified."""
    found = seals.verify_stamps(ctx.store, ctx.shell, release.records, ctx.trust.authorities, ctx.now())
    return tuple(found)


def explain_unstamped(release: Release, stamps: Sequence[SealStamp], ctx: Context) -> str:
    """Return why no time stamp holds that the policy demands; empty when one does, or none is demanded."""
    if release.summary is None or not ctx.policy.release.timestamp:
        return ""
    return seals.explain_missing(release.records, stamps, release.summary)


def approvals_of(release: Release, environment: str, place: str | None = None) -> tuple[SignedApproval, ...]:
    """Return the approvals for an environment, oldest first, each with its defect.

    The printed name and the role must be those of the key's holder, as trust names them today; an approval
    is of one verification and, if `place` is given, of one place: it counts for no other.
    """
    found = []
    for record in release.records:
        if record.statement.predicate_type != APPROVAL or records.environment_of(record) != environment:
            continue
        approval, about = predicates.decode_approval(record.statement)
        person = next((each.person for each in record.keys if each.person), None)
        defect = _approval_defect(approval, person, about, release.summary) or _elsewhere(approval, place)
        found.append(SignedApproval(approval=approval, record=record.digest, person=person, defect=defect))
    return tuple(found)


def _approval_defect(approval: Approval, person: Person | None, about: str, summary: Record | None) -> str:
    if person is None:
        return "it is signed with no person's key"
    if (approval.user, approval.printed_name) != (person.id, person.name):
        return f"it names {approval.printed_name} ({approval.user}), the key is {person.name}'s"
    if approval.role not in person.roles:
        return f"{person.name} has no role '{approval.role}'"
    if summary is None or about != summary.digest:
        return "it is about an earlier verification of the image: approve again"
    return ""


def _elsewhere(approval: Approval, place: str | None) -> str:
    """Return why an approval is not for a place; empty when it is, or no place is asked for."""
    if place is None or (place and approval.place == place):
        return ""
    return (
        f"it is for {approval.place or 'a place that is not named'}, and this is "
        f"{place or 'one that is not named'}: approve it with --place '{place}'"
    )
