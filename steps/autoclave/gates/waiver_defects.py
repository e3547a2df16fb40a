"""Why a waiver or a supplier's statement counts for nothing, whatever it covers."""

from __future__ import annotations

from datetime import datetime, timedelta

from autoclave.model.declared import SignedWaiver, VexStatus, Waiver
from autoclave.policy.schema import WaiversPolicy

_COUNTING = frozenset({VexStatus.NOT_AFFECTED, VexStatus.AFFECTED, VexStatus.FIXED})
"""A person may accept what affects the device, for a reason. From a supplier that status is a warning."""
WARNINGS = frozenset({VexStatus.AFFECTED, VexStatus.UNDER_INVESTIGATION})


def defect(
    signed: SignedWaiver, device: str, policy: WaiversPolicy, now: datetime, *, is_draft: bool = False
) -> str:
    """Return why a waiver counts for nothing under a policy, whatever it covers; empty when it counts.

    A draft is not signed by a second person yet.
    """
    waiver = signed.waiver
    if signed.defect:
        return signed.defect
    if waiver.device != device:
        return f"it is about the device '{waiver.device}'"
    if waiver.status not in _COUNTING:
        return f"its status is {waiver.status}: nothing is decided yet"
    if signed.supplier and signed.statement is None:
        return "it does not say what it is about"
    if signed.supplier:
        return _supplier_defect(waiver, policy, now)
    return (
        _person_defect(signed, policy, is_draft=is_draft)
        or _date_defect(waiver, policy, now)
        or _form_defect(waiver, policy)
    )


def _supplier_defect(waiver: Waiver, policy: WaiversPolicy, now: datetime) -> str:
    if waiver.status is VexStatus.AFFECTED:
        return "its supplier says that the package is affected"
    if not policy.supplier_vex:
        return "a supplier's statement alone does not count under this policy"
    return _future_defect(waiver, now)


def needs_two_persons(waiver: Waiver, policy: WaiversPolicy) -> bool:
    """Return whether a second person must sign a waiver: always when it is about a secret."""
    return policy.two_persons or bool(waiver.scope.fingerprint)


def _person_defect(signed: SignedWaiver, policy: WaiversPolicy, *, is_draft: bool) -> str:
    ids = [person.id for person in signed.persons]
    author = signed.waiver.author
    if author not in ids:
        return f"its author {author} did not sign it"
    if not is_draft and needs_two_persons(signed.waiver, policy) and len(set(ids)) < 2:
        twice = (
            "author and approver are the same person" if len(ids) > 1 else "nobody but its author signed it"
        )
        return f"{twice} ({author}): a second person must approve it"
    return ""


def _date_defect(waiver: Waiver, policy: WaiversPolicy, now: datetime) -> str:
    life = waiver.expires - waiver.created
    if life > timedelta(days=policy.max_days):
        return f"it would apply for {life.days} days, the policy allows {policy.max_days}"
    return _future_defect(waiver, now)


def _future_defect(waiver: Waiver, now: datetime) -> str:
    if waiver.created - now > timedelta(minutes=5):
        return f"it is dated in the future ({waiver.created:%Y-%m-%d %H:%M} UTC)"
    return ""


def _form_defect(waiver: Waiver, policy: WaiversPolicy) -> str:
    if policy.risk_reference and not waiver.risk_reference.strip():
        return "it does not refer to the risk file"
    if not waiver.rationale.strip():
        return "it has no rationale"
    scope = waiver.scope
    if not scope.digest and not scope.package:
        return "its scope is neither a digest nor a package"
    if scope.fingerprint and not scope.package:
        return "its scope names the content of a file, but not its path"
    if scope.package.startswith("pkg:") and not scope.digest and not scope.versions:
        return "its scope names a package, but no versions"
    return ""
