"""The build gate: may this image go on to be tested and scanned?"""

from __future__ import annotations

import re
from collections.abc import Iterable

from autoclave.errors import ConfigError
from autoclave.model.facts import BuildFacts
from autoclave.model.verdict import Verdict
from autoclave.policy.schema import Policy
from autoclave.runtime.variables import is_reserved

_FRONTEND = re.compile(r"(?:(?:index\.)?docker\.io/)?docker/dockerfile(?:-upstream)?")
"""Docker's own frontend, from Docker's own registry."""
_REPOSITORY = re.compile(r"(.+?)(?::[^/@:]+)?(?:@sha256:[0-9a-f]{64})?")


def judge(facts: BuildFacts, policy: Policy) -> Verdict:
    """Judge one build (NIST SP 800-190 4.1.2: images run as a non-root user)."""
    reasons = [
        f"the build could read the secret {name}, which the organisation's policy does not allow"
        for name in refused_secrets(facts.secrets, policy)
    ]
    if facts.uid is None:
        reasons.append(
            f"no engine starts the image: its USER {facts.user} is not in its /etc/passwd, or no valid number"
        )
    elif policy.build.non_root and (facts.uid == 0 or is_root(facts.user)):
        shown = f"USER {facts.user}" if facts.user else "no USER instruction"
        known = "" if is_root(facts.user) else ", user id 0 in its /etc/passwd"
        reasons.append(
            f"the image runs as root ({shown}{known}), which the policy forbids: add 'USER 10001' to it"
        )
    unknown = [each.name for each in facts.materials if not all(each.digest.values())]
    if unknown:
        reasons.append(
            f"the digest of {', '.join(unknown)} is not known, so nobody knows what the image was made of"
        )
    reasons += [f"the builder says otherwise about what it used: {each}" for each in facts.contradicted]
    if policy.build.known_materials:
        reasons += _not_known(facts, policy)
    return Verdict("build", tuple(reasons))


def _not_known(facts: BuildFacts, policy: Policy) -> list[str]:
    """Return why the record cannot name everything that the image was made of."""
    fetched = [each.name.removeprefix("remote ") for each in facts.materials if not each.digest]
    reasons = [
        f"the build fetches {each} without a checksum, so its content can change without a trace: write "
        "ADD --checksum=sha256:…, or the commit for a repository of git"
        for each in fetched
    ]
    frontends = [
        each.name.removeprefix("frontend ") for each in facts.materials if each.name.startswith("frontend ")
    ]
    reasons += [
        f"the frontend {each} reads the Dockerfile, and what it makes of it is not known: "
        "use docker/dockerfile, or let the organisation's policy name a mirror in build.frontends"
        for each in frontends
        if not _is_known_frontend(each, policy)
    ]
    return reasons


def _is_known_frontend(name: str, policy: Policy) -> bool:
    """Return whether a frontend is Docker's, or from a repository that the organisation vouches for.

    Anybody may call a repository of a registry of their own `docker/dockerfile`.
    """
    repository = _REPOSITORY.fullmatch(name)
    return repository is not None and (
        _FRONTEND.fullmatch(repository[1]) is not None or repository[1] in policy.build.frontends
    )


def refused_secrets(names: Iterable[str], policy: Policy) -> list[str]:
    """Return which variables of the job a build must not read."""
    allowed = policy.build.secrets
    return sorted(name for name in names if is_reserved(name) or not ({name, "*"} & allowed))


def refuse_secret(image: str, name: str) -> ConfigError:
    """Return the error about a variable of the job that an image's build must not read."""
    what = f"the image '{image}' may not have ${name} as a build secret"
    if is_reserved(name):
        return ConfigError(
            what,
            why="variables of CI hosts, registries, clouds and Autoclave's own never enter a build, "
            "whoever allows them",
            next="make a token for this build alone, put it into a variable of its own, and allow that",
        )
    return ConfigError(
        what,
        why="the policy in force does not allow it: the repository does not decide what leaves the job",
        next=f'add [build] secrets = ["{name}"] to the organisation\'s policy (--policy)',
    )


def is_root(user: str) -> bool:
    """Return whether an image's USER is root: by name, by number, or because none is set."""
    name = user.partition(":")[0].strip()
    return name in {"", "root"} or re.fullmatch(r"[+-]?0+", name) is not None  # engines read +0 as 0
