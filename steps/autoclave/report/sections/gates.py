"""The verdict and the gates: the recorded verdicts, and today's policy applied to the same facts."""

from __future__ import annotations

from collections.abc import Sequence

from autoclave.gates import deploy, release, scan
from autoclave.gates.waivers import JudgedWaiver
from autoclave.model import steps
from autoclave.report.inputs import Inputs, info_of
from autoclave.report.rows import Gate, GateState
from autoclave.report.schema import Outcome, Verdict

RECORD_OF = {each.name: each.record for each in steps.STEPS}
"""The gates of the flow, in order, and the record in which each leaves its verdict."""


def verdict(known: Inputs) -> Verdict:
    """Judge the release again, as `deploy` would for an environment that is not production.

    What production requires as well (approvals, a full database) has its own sections.
    """
    released = deploy.Candidate(
        evidence=known.evidence,
        summary=known.summary,
        verified=known.evidence.finished.get("verification"),
        signature=known.signature,
        production=False,
        target="",
        timestamp=known.timestamp,
    )
    reasons = deploy.judge(released, known.policy, known.now).reasons
    outcome = Outcome.FAILED if reasons else Outcome.PASSED
    return Verdict(outcome=outcome, reasons=reasons, remarks=remarks(known))


def remarks(known: Inputs) -> tuple[str, ...]:
    """Return what weakens the verdict: development keys, a partial advisory database."""
    found = []
    names = sorted({each.name for each in known.records if all(key.development for key in each.keys)})
    if names:
        found.append(
            f"signed only by development keys: {', '.join(names)}. Those are made on first use and"
            " show that the flow works, not who released; production refuses them"
        )
    found += [
        f"{label}scanned with a partial advisory database ({scan.explain_partial(each.database)}):"
        " few findings mean little; production refuses it"
        for label, each in scan.label_scans(known.evidence.scans)
        if scan.is_partial(each.database, known.policy.production)
    ]
    if known.policy_note:
        found.append(f"{known.policy_note}; 'autoclave verify' refuses the release for it")
    return tuple(found)


def gates(known: Inputs, standings: Sequence[JudgedWaiver], now: Verdict) -> tuple[Gate, ...]:
    """Return every gate of the flow, with or without a record; today's release gate is the verdict."""
    evidence, policy = known.evidence, known.policy
    at = evidence.finished.get("verification", known.now)
    today = {
        each.name: release.judge_step(each, evidence, policy, at, standings) for each in steps.CHECKS
    } | {steps.SIGN.name: now}
    found = []
    for name, record_name in RECORD_OF.items():
        record, verdict_today = known.newest(record_name), today.get(name)
        made = [info for each in known.newest_of_each(record_name) if (info := info_of(each))]
        found.append(
            Gate(
                name=name,
                recorded=_state(all(each.passed for each in made) if made else None),
                reasons=tuple(reason for each in made for reason in each.reasons),
                record=record.digest if record else "",
                at=record.finished if record else None,
                today=_state(None if verdict_today is None else not verdict_today.reasons),
                today_reasons=verdict_today.reasons if verdict_today else (),
            )
        )
    return tuple(found)


def _state(passed: bool | None) -> GateState:
    if passed is None:
        return GateState.NONE
    return GateState.PASSED if passed else GateState.CLOSED
