"""The deploy gate: may what was released run in this environment?"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from autoclave.gates import approvals, release, scan
from autoclave.model.declared import SignedApproval
from autoclave.model.verdict import Verdict
from autoclave.policy.schema import Policy


class Candidate(Struct, frozen=True, kw_only=True):
    """What deploy verified itself, for one image and one environment.

    `summary` is the result of the release's verification (empty: there is none), FAILED also when a later one
    of the image failed, and `verified` its time; `signature` is empty, or why no trusted release key signed
    the image. `target` is its name, `production` whether it leads to production (see gates.production).
    `timestamp` is empty, or why the time stamp that the policy demands is missing or invalid.
    """

    evidence: release.Evidence
    summary: str
    verified: datetime | None
    signature: str
    production: bool
    target: str
    approvals: tuple[SignedApproval, ...] = ()
    timestamp: str = ""


def judge(released: Candidate, policy: Policy, now: datetime) -> Verdict:
    """Judge a release for one environment, trusting nothing that `sign` concluded.

    The ages of records are judged as of the verification, so that an older release can be restored.
    """
    newer = _newer(released)
    at = min(now, released.verified) if released.verified and not newer else now
    # A waiver is a decision for a time: it must hold when the release is deployed.
    reasons = [*release.judge(released.evidence, policy, at, waived=now).reasons, *newer]
    if not released.summary and release.UNJUDGED not in reasons:
        reasons.append(release.UNJUDGED)
    if released.summary not in {"", "PASSED"}:
        reasons.append(f"the verification record says {released.summary}")
    if released.signature:
        reasons.append(released.signature)
    if released.timestamp:
        reasons.append(released.timestamp)
    if released.production:
        reasons += _production(released, policy)
        reasons += approvals.judge(released.approvals, policy.approvals.production)
    if released.target == "openshift" and not policy.unit_test.arbitrary_user:
        reasons += _any_user(released)
    return Verdict("deploy", tuple(reasons))


def _newer(released: Candidate) -> list[str]:
    """Return which records were made after the verification, so that it does not cover them."""
    if released.verified is None:
        return []
    finished = released.evidence.finished
    return [
        f"the {name} record is newer than the verification: run 'autoclave sign' again"
        for name in release.REQUIRED
        if name in finished and finished[name] > released.verified
    ]


def _any_user(released: Candidate) -> list[str]:
    """Demand a trial under an arbitrary user: OpenShift gives every namespace user ids of its own."""
    run = released.evidence.unit_test
    if run is None or run.arbitrary_user is None:
        return [
            "OpenShift runs the image under a user it does not know, and that was not tried: "
            "set unit-test.arbitrary-user = true in [policy]"
        ]
    ran = run.arbitrary_user
    return [f"under the arbitrary user {ran.user} the image {ran.failure}"] if ran.failure else []


def _production(released: Candidate, policy: Policy) -> list[str]:
    least = policy.production.min_database_bytes
    build = released.evidence.build
    if build and build.is_worktree:
        return ["the image was built from a work tree (--worktree): build and sign its commit"]
    return [
        f"{label}the scan used a partial advisory database ({scan.explain_partial(facts.database)}"
        f"{f', production demands {least:,}' if facts.database.complete is None else ''}): "
        "scan again with the scanner's full database"
        for label, facts in scan.label_scans(released.evidence.scans)
        if scan.is_partial(facts.database, policy.production)
    ]
