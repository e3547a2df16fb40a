"""The description of a build: our part of it is replaced, what others wrote around it is kept.

Source: …/JOB/NUMBER/submitDescription (hudson.model.Run.doSubmitDescription of Jenkins).
"""

from __future__ import annotations

from collections.abc import Callable

import jenkins

from autoclave.errors import HostError
from autoclave.hosts.jenkins.server import Jenkins, path_of


def describe(host: Jenkins, job: str, build: int, change: Callable[[str], str]) -> str:
    """Change a build's description; return what was done. Raises HostError."""
    path = f"{path_of(job)}{build}/"
    with host.perform("describe"):
        before = _description(host, path, job, build)
        after = change(before)
        if _is_same(before, after):
            return f"the description of {job} #{build} is up to date"
        host.client.post_form(f"{path}submitDescription", {"description": after})
        if not _is_same(_description(host, path, job, build), after):
            raise HostError(
                f"Jenkins did not keep the description of {job} #{build}",
                next="check whether something else writes it, then retry",
            )
        return f"{'changed' if before else 'wrote'} the description of {job} #{build}"


def _description(host: Jenkins, path: str, job: str, build: int) -> str:
    known = host.json(path, "description")
    if known is None:
        raise jenkins.NotFoundException(f"{job} #{build}")
    return str(known["description"] or "")


def _is_same(one: str, other: str) -> bool:
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()
