"""What people decided: waivers and approvals, as text for people."""

from __future__ import annotations

from collections.abc import Sequence

from autoclave.gates import approvals
from autoclave.gates.waivers import JudgedWaiver
from autoclave.model.declared import Scope
from autoclave.report.inputs import Inputs
from autoclave.report.rows import ApprovalRow, QuorumRow, WaiverRow
from autoclave.report.schema import Decisions


def decisions(known: Inputs, standings: Sequence[JudgedWaiver], production: Sequence[str]) -> Decisions:
    """Return waivers, approvals, and the approvals that each production environment has and requires."""
    return Decisions(
        waivers=tuple(_waiver(each) for each in standings),
        approvals=tuple(
            ApprovalRow(
                environment=each.approval.environment,
                printed_name=each.approval.printed_name,
                user=each.approval.user,
                role=each.approval.role,
                meaning=str(each.approval.meaning),
                reason=each.approval.reason,
                signed_at=each.approval.signed_at,
                shown=each.approval.shown,
                record=each.record,
                defect=each.defect,
            )
            for each in known.approvals
        ),
        quorum=tuple(
            _quorum(known, place, role, needed)
            for place in production
            for role, needed in sorted(known.policy.approvals.production.items())
        ),
    )


def _quorum(known: Inputs, place: str, role: str, needed: int) -> QuorumRow:
    here = [each for each in known.approvals if each.approval.environment == place]
    names = [
        each.approval.printed_name for each in approvals.find_counting(here) if each.approval.role == role
    ]
    return QuorumRow(environment=place, role=role, needed=needed, persons=tuple(names))


def _waiver(standing: JudgedWaiver) -> WaiverRow:
    signed, waiver = standing.signed, standing.signed.waiver
    return WaiverRow(
        id=waiver.id,
        finding=waiver.finding,
        status=str(waiver.status),
        justification=str(waiver.justification or ""),
        scope=_scope(waiver.scope),
        rationale=waiver.rationale,
        risk_reference=waiver.risk_reference,
        author=waiver.author,
        signed_by=tuple(f"{person.name} ({person.id})" for person in signed.persons),
        supplier=signed.supplier,
        created=waiver.created,
        expires=waiver.expires,
        state=str(standing.state),
        expiring=standing.expiring,
        why=standing.why,
        covers=len(standing.covers),
        digest=signed.digest,
    )


def _scope(scope: Scope) -> str:
    return " ".join(filter(None, (scope.package, scope.versions, scope.digest))) or "none"
