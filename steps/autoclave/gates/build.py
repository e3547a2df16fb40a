"""The build gate: may this image go on to be tested and scanned?"""

from __future__ import annotations

import re

from autoclave.model.facts import BuildFacts
from autoclave.model.verdict import Verdict
from autoclave.policy.schema import Policy


def judge(facts: BuildFacts, policy: Policy) -> Verdict:
    """Judge one build (NIST SP 800-190 4.1.2: images run as a non-root user)."""
    reasons = []
    if policy.build.non_root and is_root(facts.user):
        shown = f"USER {facts.user}" if facts.user else "no USER instruction"
        reasons.append(f"the image runs as root ({shown}), which the policy forbids: add 'USER 10001' to it")
    unknown = [each.name for each in facts.materials if not all(each.digest.values())]
    if unknown:
        reasons.append(
            f"the digest of {', '.join(unknown)} is not known, so nobody knows what the image was made of"
        )
    return Verdict("build", tuple(reasons))


def is_root(user: str) -> bool:
    """Return whether an image's USER is root: by name, by number, or because none is set."""
    name = user.partition(":")[0].strip()
    return name in {"", "root"} or re.fullmatch(r"[+-]?0+", name) is not None  # engines read +0 as 0
