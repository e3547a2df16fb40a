"""The release gate: do the verified records of one image carry a release?"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from autoclave.facts import BuildFacts, ScanFacts, TestRun
from autoclave.gates import build, scan, unit_test
from autoclave.gates.policy import Policy
from autoclave.gates.verdict import Verdict
from autoclave.governed import Component, Declared, SignedWaiver


class Evidence(Struct, frozen=True, kw_only=True):
    """What the records of one image say, after their signatures and subjects were verified.

    `finished` maps the short names of the newest good records to their times; `rejected` are
    (name, reason) of everything attached that does not verify. A missing record's facts are None.
    `components` are the SBOM's. `declared` and `waivers` are the device repository's when it signs, and what
    the verification record says and holds of them when it deploys.
    """

    finished: dict[str, datetime]
    rejected: tuple[tuple[str, str], ...]
    build: BuildFacts | None
    unit_test: TestRun | None
    scan: ScanFacts | None
    config: str
    components: tuple[Component, ...] = ()
    declared: Declared = Declared()
    waivers: tuple[SignedWaiver, ...] = ()


REQUIRED = ("provenance", "test-result", "vulns", "sbom")


def judge(evidence: Evidence, policy: Policy, now: datetime) -> Verdict:
    """Judge anew everything that the earlier gates judged, and that it belongs together (IEC 62304 5.8.1)."""
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
        reasons += scan.judge(evidence.scan, policy, now).reasons
    return Verdict("sign", tuple(reasons))


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
