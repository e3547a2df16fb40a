"""The build gate: may this image go on to be tested and scanned?"""

from __future__ import annotations

import re

from autoclave.facts import BuildFacts
from autoclave.gates.policy import Policy
from autoclave.gates.verdict import Verdict


def judge(facts: BuildFacts, policy: Policy) -> Verdict:
    """Judge one build (NIST SP 800-190 4.1.2: images run as a non-root user)."""
    reasons = []
    if policy.build.non_root and _is_root(facts.user):
        shown = f"USER {facts.user}" if facts.user else "no USER instruction"
        reasons.append(f"the image runs as root ({shown}), which the policy forbids: add 'USER 10001' to it")
    return Verdict("build", tuple(reasons))


def _is_root(user: str) -> bool:
    name = user.partition(":")[0].strip()
    return name in {"", "root"} or re.fullmatch(r"[+-]?0+", name) is not None  # engines read +0 as 0
