"""The release gate: do the verified records of one image carry a release?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from importlib import import_module

from msgspec import Struct

from autoclave.gates import build, scan, soup, traceability, unit_test, waivers
from autoclave.model import steps
from autoclave.model.declared import Component, Declared, SignedWaiver
from autoclave.model.facts import BuildFacts, Finding, Origin, ScanFacts, TestRun
from autoclave.model.steps import Step
from autoclave.model.verdict import Verdict
from autoclave.model.vex import Product
from autoclave.policy.schema import Policy


class Evidence(Struct, frozen=True, kw_only=True):
    """What the records of one image say, after their signatures and subjects were verified.

    `finished` maps the short names of the newest good records to their times; `rejected` are
    (name, reason) of what a trusted key signed and does not verify, `strays` of what anybody can attach: no
    gate closes for it, but it may explain what is missing. A missing record's facts are None. `scans` are
    the newest ones, one of each scanner.
    `device` and `product` say which image it is. `runs` are the test runs of all images of the device by
    name: requirements are the device's. `components` are the SBOM's. `declared` and `waivers` are the device
    repository's when it signs, and what the verification record says and holds of them when it deploys;
    `unjudged` when there is none, so that neither is known. `others` are the facts of further steps, by the
    step's name. `origins` are what the newest records are made from, by short name: the same for all of them.
    """

    finished: dict[str, datetime]
    rejected: tuple[tuple[str, str], ...]
    build: BuildFacts | None
    unit_test: TestRun | None
    scans: tuple[ScanFacts, ...]
    config: str
    device: str = ""
    product: Product = Product()
    runs: Mapping[str, TestRun | None] = {}
    components: tuple[Component, ...] = ()
    declared: Declared = Declared()
    waivers: tuple[SignedWaiver, ...] = ()
    unjudged: bool = False
    others: Mapping[str, Struct | None] = {}
    origins: Mapping[str, Origin] = {}
    strays: tuple[tuple[str, str], ...] = ()

    def facts_of(self, step: Step) -> object:
        """Return the facts of a step; nothing when its record is missing or cannot be read."""
        match step.name:
            case "build":
                return self.build
            case "unit-test":
                return self.unit_test
            case "scan":
                return self.scans
        return self.others.get(step.name)

    @property
    def digest(self) -> str:
        """The image's digest."""
        return self.product.digest

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What any scanner found, each finding once."""
        return tuple(dict.fromkeys(each for scan in self.scans for each in scan.findings))


REQUIRED = tuple(name for each in steps.CHECKS for name, _ in each.records)
UNJUDGED = "no valid verification record is attached: run 'autoclave sign' first"


def judge(evidence: Evidence, policy: Policy, now: datetime, *, waived: datetime | None = None) -> Verdict:
    """Judge anew everything that the earlier gates judged, and that it belongs together (IEC 62304 5.8.1).

    `waived` is the moment at which waivers must be valid, when it is not `now`.
    """
    reasons = [f"{name} record: {why}" for name, why in evidence.rejected]
    reasons += [*_present(evidence), *scan.find_missing(evidence.scans, policy.scan)]
    reasons += _fresh(evidence, policy, now)
    found = judge_waivers(evidence, policy, waived or now)
    for each in steps.CHECKS:
        judged = judge_step(each, evidence, policy, now, found)
        reasons += judged.reasons if judged else ()
        if each.name == "build" and evidence.build:
            reasons += _source(evidence.build, policy) or _one_source(evidence, evidence.build, policy)
            if evidence.build.config != evidence.config:
                reasons.append("the provenance record names another image configuration than this image has")
    if evidence.unjudged:
        return Verdict("sign", (*reasons, UNJUDGED))
    runs = evidence.runs or {"": evidence.unit_test}
    reasons += traceability.judge(evidence.declared, runs, policy)
    reasons += soup.judge(evidence.components, evidence.declared.register, policy.soup, now.date())
    return Verdict("sign", tuple(reasons))


def judge_step(
    step: Step,
    evidence: Evidence,
    policy: Policy,
    now: datetime,
    judged: Sequence[waivers.JudgedWaiver] = (),
) -> Verdict | None:
    """Judge anew what the gate of an earlier step judged; None when there are no facts of it.

    `judged` are the waivers for what was found. A gate without a case here takes facts and policy alone.
    """
    match step.name:
        case "build":
            return build.judge(evidence.build, policy) if evidence.build else None
        case "unit-test":
            return unit_test.judge(evidence.unit_test, policy) if evidence.unit_test else None
        case "scan":
            return scan.judge_all(evidence.scans, policy, now, judged) if evidence.scans else None
    facts = evidence.facts_of(step)
    if facts is None:
        return None
    verdict: Verdict = import_module(f"autoclave.gates.{step.module}").judge(facts, policy)
    return verdict


def judge_waivers(evidence: Evidence, policy: Policy, now: datetime) -> tuple[waivers.JudgedWaiver, ...]:
    """Judge the waivers for what was found in the image."""
    return waivers.judge(
        evidence.waivers,
        evidence.findings,
        device=evidence.device,
        product=evidence.product,
        policy=policy.waivers,
        now=now,
    )


def _present(evidence: Evidence) -> list[str]:
    unread = {each.record for each in steps.CHECKS if not evidence.facts_of(each)}
    strays = dict(reversed(evidence.strays))
    return [
        f"no valid {name} record is attached to the image"
        + (f"; one is that does not count: {strays[name]}" if name in strays else "")
        for name in REQUIRED
        if name not in evidence.finished or name in unread
    ]


def _fresh(evidence: Evidence, policy: Policy, now: datetime) -> list[str]:
    allowed = timedelta(hours=policy.release.max_record_age_hours)
    reasons = []
    times = [(name, at) for name in REQUIRED if (at := evidence.finished.get(name))]
    older = [each for each in evidence.scans if each.finished != evidence.finished.get("vulns")]
    times += [(f"vulns ({each.scanner})", each.finished) for each in older]
    for name, at in times:
        if now - at > allowed:
            reasons.append(
                f"the {name} record is {(now - at).total_seconds() / 3600:.0f} h old, "
                f"the policy allows {policy.release.max_record_age_hours} h"
            )
        if at - now > timedelta(minutes=5):
            reasons.append(f"the {name} record is dated in the future ({at:%Y-%m-%d %H:%M} UTC)")
    return reasons


def _one_source(evidence: Evidence, facts: BuildFacts, policy: Policy) -> list[str]:
    """Return which records are made from something else than the image: another commit, or a work tree."""
    if not policy.release.clean_tree:
        return []
    made_from = Origin(facts.commit, facts.tree)
    names = [name for name in REQUIRED if name in evidence.finished and name != "sbom"]
    origins = dict.fromkeys(names, Origin("", "")) | dict(evidence.origins)
    return [
        f"the {name} record is made from {origin}, but the image from {made_from}: repeat it at that commit"
        for name, origin in origins.items()
        if origin != made_from
    ]


def _source(facts: BuildFacts, policy: Policy) -> list[str]:
    if not policy.release.clean_tree:
        return []
    if facts.is_worktree or not (facts.commit and facts.tree):
        return ["the image was built from a work tree, not from a commit: commit it and build again"]
    return []
