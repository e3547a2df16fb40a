"""The approvals gate: have enough persons of each role approved this release for this environment?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoclave.model.declared import Meaning, SignedApproval


def judge(approvals: Sequence[SignedApproval], demanded: Mapping[str, int]) -> tuple[str, ...]:
    """Judge the approvals for one environment, oldest first; nobody counts twice, in whatever role."""
    counted = find_counting(approvals)
    reasons = []
    for role, required in sorted(demanded.items()):
        names = [each.approval.printed_name for each in counted if each.approval.role == role]
        if len(names) < required:
            text = f"{required} approval{'s' if required > 1 else ''} by {role} demanded, {len(names)} given"
            reasons.append(f"{text} ({', '.join(names)})" if names else text)
    if not reasons:
        return ()
    refused = [
        f"the approval by {_name_of(each)} does not count: {each.defect}" for each in approvals if each.defect
    ]
    return (*reasons, *refused)


def find_counting(approvals: Sequence[SignedApproval]) -> list[SignedApproval]:
    """Return the approvals that count: good ones whose meaning is approval, the first of each person."""
    first: dict[str, SignedApproval] = {}
    for each in approvals:
        if not each.defect and each.person and each.approval.meaning is Meaning.APPROVAL:
            first.setdefault(each.person.id, each)
    return list(first.values())


def _name_of(signed: SignedApproval) -> str:
    return signed.person.name if signed.person else signed.approval.user
