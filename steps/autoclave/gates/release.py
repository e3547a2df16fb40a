"""The release gate: do the verified records of one image carry a release?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from autoclave.gates import build, scan, soup, traceability, unit_test
from autoclave.gates import waivers as waiving
from autoclave.model.declared import Component, Declared, SignedWaiver
from autoclave.model.facts import BuildFacts, ScanFacts, TestRun
from autoclave.model.verdict import Verdict
from autoclave.policy.schema import Policy


class Evidence(Struct, frozen=True, kw_only=True):
    """What the records of one image say, after their signatures and subjects were verified.

    `finished` maps the short names of the newest good records to their times; `rejected` are
    (name, reason) of everything attached that does not verify. A missing record's facts are None.
    `device` and `digest` say which image it is. `runs` are the test runs of all images of the device by name:
    requirements are the device's. `components` are the SBOM's. `declared` and `waivers` are the device
    repository's when it signs, and what the verification record says and holds of them when it deploys;
    `unjudged` when there is none, so that nothing is known of either.
    """

    finished: dict[str, datetime]
    rejected: tuple[tuple[str, str], ...]
    build: BuildFacts | None
    unit_test: TestRun | None
    scan: ScanFacts | None
    config: str
    device: str = ""
    digest: str = ""
    runs: Mapping[str, TestRun | None] = {}
    components: tuple[Component, ...] = ()
    declared: Declared = Declared()
    waivers: tuple[SignedWaiver, ...] = ()
    unjudged: bool = False


REQUIRED = ("provenance", "test-result", "vulns", "sbom")
UNJUDGED = "no valid verification record is attached: run 'autoclave sign' first"


def judge(evidence: Evidence, policy: Policy, now: datetime, *, waived: datetime | None = None) -> Verdict:
    """Judge anew everything that the earlier gates judged, and that it belongs together (IEC 62304 5.8.1).

    `waived` is the moment at which waivers must hold, when it is not `now`.
    """
    reasons = [f"{name} record: {why}" for name, why in evidence.rejected]
    reasons += [*_present(evidence), *_fresh(evidence, policy, now)]
    if evidence.build:
        reasons += build.judge(evidence.build, policy).reasons
        reasons += _source(evidence.build, policy)
        if evidence.build.config != evidence.config:
            reasons.append("the provenance record names another image configuration than this image has")
    if evidence.unit_test:
        reasons += unit_test.judge(evidence.unit_test, policy).reasons
    if evidence.scan:
        reasons += scan.judge(
            evidence.scan, policy, now, judge_waivers(evidence, policy, waived or now)
        ).reasons
    if evidence.unjudged:
        return Verdict("sign", (*reasons, UNJUDGED))
    runs = evidence.runs or {"": evidence.unit_test}
    reasons += traceability.judge(evidence.declared, runs, policy)
    reasons += soup.judge(evidence.components, evidence.declared.register, policy.soup, now.date())
    return Verdict("sign", tuple(reasons))


def judge_waivers(evidence: Evidence, policy: Policy, now: datetime) -> tuple[waiving.JudgedWaiver, ...]:
    """Return how the waivers stand for what was found in the image."""
    return waiving.judge(
        evidence.waivers,
        evidence.scan.findings if evidence.scan else (),
        device=evidence.device,
        digest=evidence.digest,
        policy=policy.waivers,
        now=now,
    )


def _present(evidence: Evidence) -> list[str]:
    facts = {"provenance": evidence.build, "test-result": evidence.unit_test, "vulns": evidence.scan}
    unread = {name for name, seen in facts.items() if seen is None}
    return [
        f"no valid {name} record is attached to the image"
        for name in REQUIRED
        if name not in evidence.finished or name in unread
    ]


def _fresh(evidence: Evidence, policy: Policy, now: datetime) -> list[str]:
    allowed = timedelta(hours=policy.release.max_record_age_hours)
    reasons = []
    for name in REQUIRED:
        at = evidence.finished.get(name)
        if at and now - at > allowed:
            reasons.append(
                f"the {name} record is {(now - at).total_seconds() / 3600:.0f} h old, "
                f"the policy allows {policy.release.max_record_age_hours} h"
            )
        if at and at - now > timedelta(minutes=5):
            reasons.append(f"the {name} record is dated in the future ({at:%Y-%m-%d %H:%M} UTC)")
    return reasons


def _source(facts: BuildFacts, policy: Policy) -> list[str]:
    if not policy.release.clean_tree:
        return []
    if not facts.commit:
        return ["the image was not built from a git commit, which the policy demands"]
    if facts.dirty:
        return ["the image was built from a tree with uncommitted changes: commit them and build again"]
    return []
