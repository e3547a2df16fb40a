"""Which waivers count, what each of them covers, and why one does not count.

A waiver never hides a finding: it is listed with it. That of a secret is about exactly one file, by its path
and its content, and two persons sign it, whatever the policy requires of others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct, structs

from autoclave.gates.version_ranges import in_range
from autoclave.model.declared import SignedWaiver, VexStatus, Waiver
from autoclave.model.digest import Digest
from autoclave.model.facts import Finding, Kind
from autoclave.policy.schema import WaiversPolicy

_SOON = timedelta(days=30)
_COUNTING = frozenset({VexStatus.NOT_AFFECTED, VexStatus.AFFECTED, VexStatus.FIXED})
"""A person may accept what affects the device, for a reason. From a supplier that status is a warning."""


class WaiverState(StrEnum):
    """The state of a waiver for one image."""

    USED = "used"
    UNUSED = "unused"
    EXPIRED = "expired"
    STALE = "stale"
    REFUSED = "refused"


_WORDS = frozenset({WaiverState.USED, WaiverState.REFUSED})
"""A supplier's statement in one of these states is about what was found, and still in force."""


class JudgedWaiver(Struct, frozen=True, kw_only=True):
    """One waiver, judged for one image at a moment.

    `why` says why it does not count (expired, stale, refused). `covers` are the keys of the findings that it
    is about, whether it counts or not. `expiring` is true in the last 30 days of one that counts.
    """

    signed: SignedWaiver
    state: WaiverState
    why: str = ""
    covers: tuple[str, ...] = ()
    expiring: bool = False

    @property
    def counts(self) -> bool:
        """Whether its findings are waived."""
        return self.state is WaiverState.USED


def key(finding: Finding) -> str:
    """Return what identifies a finding among all others of the image."""
    name = f"{finding.id} {finding.purl or finding.package} {finding.version} {finding.target}"
    return f"{name} {finding.fingerprint}" if finding.fingerprint else name


class WaiverContext(Struct, frozen=True, kw_only=True):
    """What waivers are judged for: an image, the policy and the moment."""

    device: str
    digest: str
    policy: WaiversPolicy
    now: datetime


def judge(
    waivers: Sequence[SignedWaiver],
    findings: Sequence[Finding],
    *,
    device: str,
    digest: str,
    policy: WaiversPolicy,
    now: datetime,
) -> tuple[JudgedWaiver, ...]:
    """Judge each waiver for an image: its digest, and everything that was found in it."""
    named = {each.waiver.finding for each in waivers}
    by_id: dict[str, list[Finding]] = {}
    for finding in findings if named else ():
        for name in named.intersection((finding.id, *finding.aliases)):
            by_id.setdefault(name, []).append(finding)
    image = WaiverContext(device=device, digest=digest, policy=policy, now=now)
    return _apply_newest([_judge_one(each, by_id.get(each.waiver.finding, ()), image) for each in waivers])


def find_waived(judged: Sequence[JudgedWaiver]) -> dict[str, JudgedWaiver]:
    """Return the waived findings by key, with the waiver that covers each."""
    return {name: each for each in judged if each.counts for name in each.covers}


def find_refused(judged: Sequence[JudgedWaiver]) -> dict[str, JudgedWaiver]:
    """Return the findings that only waivers cover which do not count, by key."""
    good = find_waived(judged)
    return {
        name: each
        for each in judged
        if not each.counts and each.why
        for name in each.covers
        if name not in good
    }


def explain_refusal(finding: Finding, refused: dict[str, JudgedWaiver]) -> str:
    """Return which waiver is about a finding and why it does not count, or an empty string."""
    judged = refused.get(key(finding))
    return f"; waiver {judged.signed.waiver.id} does not count: {judged.why}" if judged else ""


def list_expiring(judged: Sequence[JudgedWaiver]) -> list[str]:
    """Return a line about each waiver that counts and will soon expire."""
    return [
        f"waiver {each.signed.waiver.id} ({each.signed.waiver.finding}) expires on "
        f"{each.signed.waiver.expires:%Y-%m-%d}"
        for each in judged
        if each.expiring
    ]


def _judge_one(signed: SignedWaiver, found: Sequence[Finding], image: WaiverContext) -> JudgedWaiver:
    waiver = signed.waiver
    # A supplier speaks of vulnerabilities in its packages, of nothing else.
    named = [each for each in found if not signed.supplier or each.kind is Kind.VULNERABILITY]
    covers = tuple(key(each) for each in named if _is_in_scope(waiver, each, image.digest))
    # What does not count is shown at every finding that it names.
    about = covers or tuple(key(each) for each in named)
    why = defect(signed, image.device, image.policy, image.now)
    # What a supplier states about other versions is not about this one, good or bad.
    elsewhere = bool(signed.supplier and not signed.defect and named and not covers)
    if why and not elsewhere:
        return JudgedWaiver(signed=signed, state=WaiverState.REFUSED, why=why, covers=about)
    if image.now >= waiver.expires:
        reason = f"it expired on {waiver.expires:%Y-%m-%d %H:%M} UTC"
        return JudgedWaiver(signed=signed, state=WaiverState.EXPIRED, why=reason, covers=about)
    if not covers and (named or waiver.scope.digest not in {"", image.digest}):
        reason = _explain_stale(waiver, named, image.digest)
        return JudgedWaiver(signed=signed, state=WaiverState.STALE, why=reason, covers=about)
    state = WaiverState.USED if covers else WaiverState.UNUSED
    return JudgedWaiver(
        signed=signed, state=state, covers=covers, expiring=waiver.expires - image.now <= _SOON
    )


def _apply_newest(found: Sequence[JudgedWaiver]) -> tuple[JudgedWaiver, ...]:
    """Let the suppliers' newest statement about a finding count, and no older one that contradicts it.

    Whoever signed it may sign for the package: a new key of the same supplier overrules the old one.
    """
    newest: dict[str, JudgedWaiver] = {}
    for each in found:
        about = each.signed.supplier and not each.signed.defect and each.state in _WORDS
        for name in each.covers if about else ():
            newest[name] = max(newest.get(name, each), each, key=_weight)
    return tuple(
        _overrule(each, {name: newest[name] for name in each.covers})
        if each.signed.supplier and each.counts
        else each
        for each in found
    )


def _weight(judged: JudgedWaiver) -> tuple[datetime, bool]:
    """Return what makes one statement of a supplier outweigh another: its date, else that it is a warning."""
    return judged.signed.waiver.created, not judged.counts


def _overrule(judged: JudgedWaiver, newest: dict[str, JudgedWaiver]) -> JudgedWaiver:
    """Remove from what a supplier's statement covers the findings on which a newer one does not count."""
    covers = tuple(name for name, last in newest.items() if last.counts)
    if covers:
        return structs.replace(judged, covers=covers)
    last = next(iter(newest.values())).signed.waiver
    why = f"a supplier stated {last.status} later, on {last.created:%Y-%m-%d}"
    return structs.replace(judged, state=WaiverState.STALE, why=why, expiring=False)


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
    if not waiver.scope.versions:
        return "its scope names a package, but no versions"
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


def _is_in_scope(waiver: Waiver, finding: Finding, digest: str) -> bool:
    scope = waiver.scope
    if scope.digest and scope.digest != digest:
        return False
    if finding.kind is Kind.SECRET or scope.fingerprint:
        here = (finding.target, finding.fingerprint)
        return bool(finding.fingerprint) and (scope.package, scope.fingerprint) == here
    if scope.package and scope.package not in places_of(finding):
        return False
    if scope.versions and not in_range(finding.version, scope.versions, finding.purl):
        return False
    return bool(scope.digest or scope.package)


def places_of(finding: Finding) -> Collection[str]:
    """Return what a scope may call the place of a finding: the package, or the workload and its container."""
    if finding.kind is Kind.UNJUDGED:
        return (finding.package or finding.target,)
    if finding.purl:
        return (finding.purl.partition("?")[0].rpartition("@")[0] or finding.purl,)
    return (finding.package, finding.target, finding.target.partition(" ")[0])


def _explain_stale(waiver: Waiver, named: Sequence[Finding], digest: str) -> str:
    if waiver.scope.digest not in {"", digest}:
        return f"it is about another image, {Digest(waiver.scope.digest).short}"
    found = ", ".join(sorted({f"{each.package or each.target} {each.version}".strip() for each in named})[:5])
    if any(each.kind is Kind.SECRET for each in named):
        return "a secret is waived by the path and the digest of its file, and these are others"
    scope = f"{waiver.scope.package} {waiver.scope.versions}".strip()
    return f"it is about {scope}, but {found} was found"
