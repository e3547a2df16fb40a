"""Create or update the job of a device, and the folders around it. It is idempotent."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from msgspec import Struct

from autoclave.errors import HostError
from autoclave.hosts.jenkins import job_config as config
from autoclave.hosts.jenkins.errors import ErrorAnswer, UnclearAnswer
from autoclave.hosts.jenkins.job_config import JobSpec, Library
from autoclave.hosts.jenkins.server import Jenkins, path_of
from autoclave.hosts.jenkins.xml import diff, is_same, write


class Plan(Struct, frozen=True, kw_only=True):
    """One item: as it is (None: missing) and as it will be; `kept` names parameters that are not changed."""

    name: str
    before: Element | None
    after: Element
    kept: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether there is a change to send."""
        return self.before is None or not is_same(self.before, self.after)

    @property
    def diff(self) -> str:
        """What changes, for people; empty when nothing does."""
        return diff(self.before, self.after, self.name) if self.changes else ""


def plan(host: Jenkins, name: str, wanted: JobSpec, library: Library | None) -> list[Plan]:
    """Return what there is to do: folders from the outside in, then the job. Raises HostError."""
    with host.perform("provision"):
        around = folders(name)
        if library is not None and not around:
            raise HostError(
                "a library of a folder needs a folder",
                why=f"the job {name} is not in a folder",
                next="give --jenkins-folder, or have the administrator configure a global library",
            )
        plans = [_folder(host, each, library if each == around[-1] else None) for each in around]
        before = host.config(name)
        after = config.job(before, wanted)
        kept = config.parameters(after, wanted.parameters)
        job = Plan(name=name, before=before, after=after, kept=tuple(kept))
        return [each for each in plans if each is not None] + [job]


def _folder(host: Jenkins, name: str, library: Library | None) -> Plan | None:
    """Return what to do with a folder; None when it exists and gets no library."""
    if library is None and host.json(path_of(name), "name") is not None:
        return None
    before = host.config(name)
    return Plan(name=name, before=before, after=config.folder(before, library))


def apply(host: Jenkins, plans: Sequence[Plan]) -> list[str]:
    """Send the changes, check that Jenkins kept them, and return what was done. Raises HostError."""
    with host.perform("provision"):
        return [_apply(host, each) for each in plans]


def _apply(host: Jenkins, plan: Plan) -> str:
    if not plan.changes:
        return f"{plan.name} is up to date"
    if plan.before is None:
        _create(host, plan)
    else:
        _update(host, plan, plan.before)
    now = host.config(plan.name)
    if now is None or not _contains(now, plan.after):
        raise HostError(
            f"Jenkins did not keep all of {plan.name}",
            why=_difference(now, plan),
            next="a plugin may be missing (autoclave jenkins plugins), or Jenkins forbids a setting",
        )
    return f"{'created' if plan.before is None else 'changed'} {plan.name}"


def _create(host: Jenkins, plan: Plan) -> None:
    try:
        host.client.create_job(plan.name, write(plan.after))
    except UnclearAnswer:
        # No clear answer: it may exist now; then it is compared with the plan.
        if host.config(plan.name) is None:
            raise


def _update(host: Jenkins, plan: Plan, before: Element) -> None:
    now = host.config(plan.name)
    if now is None or not is_same(now, before):
        raise HostError(
            f"somebody else has just changed {plan.name}",
            why="the comparison is out of date",
            next="run the command again and read the new difference",
        )
    host.client.reconfig_job(plan.name, write(plan.after))


def _contains(now: Element, wanted: Element) -> bool:
    """Return whether all that was sent is there; Jenkins adds defaults, and names of plugins."""
    if now.tag != wanted.tag or (now.text or "").strip() != (wanted.text or "").strip():
        return False
    if wanted.get("class", "") != now.get("class", ""):
        return False
    left = list(now)
    for each in wanted:
        found = next((other for other in left if _contains(other, each)), None)
        if found is None:
            return False
        left.remove(found)
    return True


def _difference(now: Element | None, plan: Plan) -> str:
    return "it does not exist" if now is None else diff(plan.after, now, plan.name)[:2000]


def folders(name: str) -> list[str]:
    """Return the folders around an item, from the outside in."""
    parts = name.split("/")
    return ["/".join(parts[: length + 1]) for length in range(len(parts) - 1)]


def library_at(host: Jenkins, name: str, library: str) -> tuple[str, list[str]]:
    """Return the nearest folder around a job with that library, and those that the account may not read."""
    hidden = []
    with host.perform("provision"):
        for folder in reversed(folders(name)):
            try:
                root = host.config(folder)
            except ErrorAnswer as error:
                if error.status != 403:
                    raise
                hidden.append(folder)
                continue
            if root is not None and config.library_of(root, library):
                return folder, hidden
    return "", hidden
