"""One merge request per repository that includes the template in another version.

Sources: docs.gitlab.com/api/commits (create a commit with actions), docs.gitlab.com/api/branches,
docs.gitlab.com/api/merge_requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitlab.v4.objects import Project
from msgspec import Struct

from autoclave.errors import HostError
from autoclave.hosts.gitlab.ci_file import read, replace_ref
from autoclave.hosts.gitlab.client import find_or_none, translate_errors
from autoclave.hosts.gitlab.fleet import configuration, projects
from autoclave.hosts.gitlab.permissions import NEEDS
from autoclave.hosts.gitlab.project import GitLab


class Bump(Struct, frozen=True, kw_only=True):
    """What was done for one repository, in words. `failed` is true when the host refused."""

    project: str
    done: str
    url: str = ""
    failed: bool = False


def bump(host: GitLab, group: str, template: str, ref: str, *, dry_run: bool) -> Iterator[Bump]:
    """Open the merge requests; yield one line per project. Raises HostError for the group itself."""
    for listed in projects(host, group, "fleet bump"):
        try:
            with translate_errors(NEEDS["fleet bump"], host.mask):
                yield _bump(host, listed, template, ref, dry_run=dry_run)
        except HostError as error:
            yield Bump(project=listed.path_with_namespace, done=f"{error.what}: {error.why}", failed=True)


def _bump(host: GitLab, listed: Any, template: str, ref: str, *, dry_run: bool) -> Bump:
    name = listed.path_with_namespace
    found = configuration(host, listed, NEEDS["fleet bump"])
    if isinstance(found, str):
        return Bump(project=name, done=f"unchanged: {found}")
    path, text = found
    file = read(text, template)
    if not file.includes and not file.problem:
        return Bump(project=name, done="unchanged: does not include the template")
    try:
        changed = replace_ref(text, template, ref)
    except ValueError as error:
        return Bump(project=name, done=f"unchanged: {error}")
    old = ", ".join(dict.fromkeys(each.ref for each in file.includes if each.kind != "local"))
    if changed == text:
        return Bump(project=name, done=f"is at {old or 'a local copy'} already")
    if dry_run:
        return Bump(project=name, done=f"would change {old} to {ref}")
    project = host.client.projects.get(listed.id, lazy=True)
    change = _Change(path=path, before=text, after=changed, branch=f"autoclave/{ref}", old=old, ref=ref)
    done, url = host.client.repeat_unclear(lambda: _propose(project, listed.default_branch, change))
    return Bump(project=name, done=done, url=url)


class _Change(Struct, frozen=True, kw_only=True):
    path: str
    before: str
    after: str
    branch: str
    old: str
    ref: str

    @property
    def title(self) -> str:
        return f"Autoclave {self.ref}"


def _propose(project: Project, default: str, change: _Change) -> tuple[str, str]:
    """Find or create the merge request; return what was done and its address."""
    requests = project.mergerequests.list(
        iterator=True, source_branch=change.branch, target_branch=default, state="all"
    )
    there = sorted(requests, key=lambda each: each.iid)
    open_ = [each for each in there if each.state in ("opened", "locked")]
    if open_:
        return "is proposed already", open_[0].web_url
    if there and there[-1].state == "closed":
        # A person decided against it; we do not overrule that.
        return "unchanged: a merge request for this version was closed", there[-1].web_url
    refused = _branch(project, default, change)
    if refused:
        return refused, ""
    made: Any = project.mergerequests.create(
        {
            "source_branch": change.branch,
            "target_branch": default,
            "title": change.title,
            "description": f"Include Autoclave in version `{change.ref}` instead of `{change.old}`.",
            "remove_source_branch": True,
        }
    )
    return f"proposed {change.ref} instead of {change.old}", made.web_url


def _branch(project: Project, default: str, change: _Change) -> str:
    """Find or create the branch with its one commit; return why it cannot be used, else nothing."""
    there = find_or_none(lambda: project.branches.get(change.branch))
    data: dict[str, Any] = {
        "branch": change.branch,
        "commit_message": f"{change.title}\n\nIt was {change.old}.",
        "actions": [{"action": "update", "file_path": change.path, "content": change.after}],
    }
    if there is None:
        project.commits.create(data | {"start_branch": default})
        return ""
    raw = find_or_none(lambda: project.files.raw(file_path=change.path, ref=change.branch))
    if raw == change.after.encode():
        return ""
    if raw != change.before.encode():
        return f"unchanged: the branch {change.branch} has other changes"
    project.commits.create(data)
    return ""
