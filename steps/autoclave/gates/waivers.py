"""Which waivers count, what each of them covers, and why one does not count.

A waiver never hides a finding: it is listed with it. That of a secret is about exactly one file, by its path
and its content, and two persons sign it, whatever the policy requires of others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct, structs

from autoclave.gates import vex
from autoclave.gates.version_ranges import in_range
from autoclave.gates.waiver_defects import WARNINGS, defect
from autoclave.model.declared import SignedWaiver, Waiver
from autoclave.model.digest import Digest
from autoclave.model.facts import Finding, Kind
from autoclave.model.purl import package_of
from autoclave.model.vex import Product, Statement
from autoclave.policy.schema import WaiversPolicy

_SOON = timedelta(days=30)


class WaiverState(StrEnum):
    """The state of a waiver for one image."""

    USED = "used"
    UNUSED = "unused"
    EXPIRED = "expired"
    STALE = "stale"
    REFUSED = "refused"


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
    product: Product
    policy: WaiversPolicy
    now: datetime


def judge(
    waivers: Sequence[SignedWaiver],
    findings: Sequence[Finding],
    *,
    device: str,
    product: Product,
    policy: WaiversPolicy,
    now: datetime,
) -> tuple[JudgedWaiver, ...]:
    """Judge each waiver for an image, and everything that was found in it."""
    image = WaiverContext(device=device, product=product, policy=policy, now=now)
    found = _index(waivers, findings)
    return _apply_newest(
        [
            _judge_statement(each, each.statement, found[at], image)
            if each.statement
            else _judge_waiver(each, found[at], image)
            for at, each in enumerate(waivers)
        ]
    )


def _index(waivers: Sequence[SignedWaiver], findings: Sequence[Finding]) -> list[list[Finding]]:
    """Return for each waiver the findings that it names."""
    names = [{vex.fold(name) for name in _names_of(each)} for each in waivers]
    wanted = set().union(*names)
    by_name: dict[str, list[Finding]] = {}
    for finding in findings if wanted else ():
        for name in (finding.id, *finding.aliases, *finding.bulletins):
            if (folded := vex.fold(name)) in wanted:
                by_name.setdefault(folded, []).append(finding)
    return [list(dict.fromkeys(one for name in each for one in by_name.get(name, ()))) for each in names]


def _names_of(signed: SignedWaiver) -> Sequence[str]:
    return signed.statement.names if signed.statement else (signed.waiver.finding,)


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


def _judge_waiver(signed: SignedWaiver, found: Sequence[Finding], image: WaiverContext) -> JudgedWaiver:
    """Judge what a person decided."""
    waiver, digest = signed.waiver, image.product.digest
    # A bulletin is about several vulnerabilities: nobody decides about all of them by its name.
    named = [each for each in found if _is_named(waiver, each)]
    covers = tuple(key(each) for each in named if _is_in_scope(waiver, each, digest))
    # What does not count is shown at every finding that it names.
    about = covers or tuple(key(each) for each in named)
    if why := defect(signed, image.device, image.policy, image.now):
        return JudgedWaiver(signed=signed, state=WaiverState.REFUSED, why=why, covers=about)
    if expired := _explain_expired(waiver, image.now):
        return JudgedWaiver(signed=signed, state=WaiverState.EXPIRED, why=expired, covers=about)
    if not covers and (named or waiver.scope.digest not in {"", digest}):
        reason = _explain_stale(waiver, named, digest)
        return JudgedWaiver(signed=signed, state=WaiverState.STALE, why=reason, covers=about)
    return _make_counting(signed, covers, image)


def _judge_statement(
    signed: SignedWaiver, said: Statement, found: Sequence[Finding], image: WaiverContext
) -> JudgedWaiver:
    """Judge what a supplier states. A warning is refused where it may be about a finding, and overrules."""
    product, is_warning = image.product, signed.waiver.status in WARNINGS
    # A supplier speaks of vulnerabilities in its packages, of nothing else.
    found = [each for each in found if each.kind is Kind.VULNERABILITY]
    matches = vex.warns if is_warning else vex.opens
    about = [each for each in found if matches(said, each, product)]
    mine = [each for each in about if vex.may_sign(said, each, product, signed.packages)]
    keys = tuple(key(each) for each in mine or about or found)
    why = defect(signed, image.device, image.policy, image.now)
    if signed.defect or (why and mine):
        return JudgedWaiver(signed=signed, state=WaiverState.REFUSED, why=why, covers=keys)
    if about and not mine:
        why = vex.explain_signer(
            package_of(about[0].purl) or about[0].package, signed.supplier, signed.packages
        )
        unsigned = structs.replace(signed, defect=why)
        return JudgedWaiver(signed=unsigned, state=WaiverState.REFUSED, why=why, covers=keys)
    if found and not about:
        unsure = [each for each in found if vex.warns(said, each, product)]
        open_versions = [why for each in unsure if (why := vex.explain_open_version(said, each, product))]
        if open_versions:
            return JudgedWaiver(signed=signed, state=WaiverState.REFUSED, why=open_versions[0], covers=keys)
        why = vex.explain_elsewhere(said, found, product)
        return JudgedWaiver(signed=signed, state=WaiverState.STALE, why=why, covers=keys)
    if expired := _explain_expired(signed.waiver, image.now):
        return JudgedWaiver(signed=signed, state=WaiverState.EXPIRED, why=expired, covers=keys)
    return _make_counting(signed, keys, image)


def _make_counting(signed: SignedWaiver, covers: tuple[str, ...], image: WaiverContext) -> JudgedWaiver:
    state = WaiverState.USED if covers else WaiverState.UNUSED
    expiring = signed.waiver.expires - image.now <= _SOON
    return JudgedWaiver(signed=signed, state=state, covers=covers, expiring=expiring)


def _explain_expired(waiver: Waiver, now: datetime) -> str:
    return f"it expired on {waiver.expires:%Y-%m-%d %H:%M} UTC" if now >= waiver.expires else ""


def _apply_newest(found: Sequence[JudgedWaiver]) -> tuple[JudgedWaiver, ...]:
    """Let the suppliers' newest statement about a finding count, and no older one that contradicts it.

    Whoever signed it may sign for the package: a new key of the same supplier overrules the old one.
    """
    newest: dict[str, JudgedWaiver] = {}
    for each in found:
        for name in each.covers if _is_in_force(each) else ():
            newest[name] = max(newest.get(name, each), each, key=_weight)
    return tuple(
        _overrule(each, {name: newest[name] for name in each.covers})
        if each.signed.supplier and each.counts
        else each
        for each in found
    )


def _is_in_force(judged: JudgedWaiver) -> bool:
    """Return whether it is a supplier's statement that counts, or a warning of one about what was found."""
    signed = judged.signed
    if not signed.supplier or signed.defect:
        return False
    return judged.counts or (judged.state is WaiverState.REFUSED and signed.waiver.status in WARNINGS)


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


def _is_named(waiver: Waiver, finding: Finding) -> bool:
    return vex.fold(waiver.finding) in {vex.fold(each) for each in (finding.id, *finding.aliases)}


def _is_in_scope(waiver: Waiver, finding: Finding, digest: str) -> bool:
    scope = waiver.scope
    if scope.digest and scope.digest != digest:
        return False
    if finding.kind is Kind.SECRET or scope.fingerprint:
        here = (finding.target, finding.fingerprint)
        return bool(finding.fingerprint) and (scope.package, scope.fingerprint) == here
    if scope.package and (package_of(scope.package) or scope.package) not in places_of(finding):
        return False
    if scope.versions and not in_range(finding.version, scope.versions, finding.purl):
        return False
    return bool(scope.digest or scope.package)


def places_of(finding: Finding) -> Collection[str]:
    """Return what a scope may call the place of a finding: the package, or the workload and its container."""
    if finding.kind is Kind.UNJUDGED:
        return (finding.package or finding.target,)
    if finding.purl:
        return (package_of(finding.purl) or finding.purl,)
    return (finding.package, finding.target, finding.target.partition(" ")[0])


def _explain_stale(waiver: Waiver, named: Sequence[Finding], digest: str) -> str:
    if waiver.scope.digest not in {"", digest}:
        return f"it is about another image, {Digest(waiver.scope.digest).short}"
    found = ", ".join(sorted({f"{each.package or each.target} {each.version}".strip() for each in named})[:5])
    if any(each.kind is Kind.SECRET for each in named):
        return "a secret is waived by the path and the digest of its file, and these are others"
    scope = f"{waiver.scope.package} {waiver.scope.versions}".strip()
    return f"it is about {scope}, but {found} was found"
