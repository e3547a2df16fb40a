"""Which repositories of a group use Autoclave, in which version, and what they override.

Read from the repositories alone: each one's `.gitlab-ci.yml` on its default branch and its newest release.
Sources: docs.gitlab.com/api/groups (list projects), docs.gitlab.com/api/repository_files (raw),
docs.gitlab.com/api/releases.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitlab.v4.objects import Project
from msgspec import Struct

from autoclave.errors import HostError
from autoclave.hosts.ci_file import CiFile, Override, read
from autoclave.hosts.gitlab import GitLab
from autoclave.hosts.gitlab_client import absent, told
from autoclave.hosts.gitlab_release import digests
from autoclave.hosts.needs import NEEDS, Need

DEFAULT_FILE = ".gitlab-ci.yml"


class Row(Struct, frozen=True, kw_only=True):
    """One repository of the fleet. `ref` lists the versions it includes; `problem` is why it is not known.

    The release and its digests are as GitLab's release says, not verified.
    """

    project: str
    kind: str = ""
    ref: str = ""
    overrides: tuple[Override, ...] = ()
    variables: tuple[str, ...] = ()
    release: str = ""
    digests: dict[str, str] = {}
    problem: str = ""


def look(host: GitLab, group: str, template: str) -> Iterator[Row]:
    """Yield one row per project of a group and its subgroups. Raises HostError for the group itself."""
    for project in projects(host, group, "fleet"):
        yield _row(host, project, template)


def projects(host: GitLab, group: str, action: str) -> Iterator[Any]:
    """Yield the projects of a group and its subgroups that are not archived, page by page."""
    with host.acting(action):
        yield from host.client.groups.get(group, lazy=True).projects.list(
            iterator=True,
            include_subgroups=True,
            with_shared=False,
            archived=False,
            order_by="id",
            sort="asc",
        )


def configuration(host: GitLab, listed: Any, need: Need) -> tuple[str, str] | str:
    """Return path and text of a project's configuration, or the reason why there is none to read."""
    branch = listed.attributes.get("default_branch")
    if not branch:
        return "the repository is empty, or hidden from the token"
    path = listed.attributes.get("ci_config_path") or DEFAULT_FILE
    if "@" in path or "://" in path:
        return f"its configuration lies elsewhere: {path}"
    project = host.client.projects.get(listed.id, lazy=True)
    try:
        with told(need, host.mask):
            raw = absent(lambda: project.files.raw(file_path=path, ref=branch))
    except HostError as error:
        return f"{error.what}: {error.why}"
    if raw is None:
        return f"no {path}, or none that the token may see"
    try:
        return path, raw.decode("utf-8")
    except UnicodeDecodeError:
        return f"{path} is not UTF-8"


def _row(host: GitLab, listed: Any, template: str) -> Row:
    name = listed.path_with_namespace
    found = configuration(host, listed, NEEDS["fleet"])
    if isinstance(found, str):
        return Row(project=name, problem=found)
    file = read(found[1], template)
    if file.problem:
        return Row(project=name, problem=f"{found[0]}: {file.problem}")
    if not file.includes:
        return Row(project=name, problem="does not include the template")
    try:
        release, written = _release(host, host.client.projects.get(listed.id, lazy=True))
    except HostError as error:
        return _made(name, file, problem=f"its releases: {error.what}: {error.why}")
    return _made(name, file, release=release, digests=written)


def _made(name: str, file: CiFile, **more: Any) -> Row:
    return Row(
        project=name,
        kind=", ".join(dict.fromkeys(each.kind for each in file.includes)),
        ref=", ".join(dict.fromkeys(each.ref or "no ref" for each in file.includes)),
        overrides=file.overrides,
        variables=file.variables,
        **more,
    )


def _release(host: GitLab, project: Project) -> tuple[str, dict[str, str]]:
    """Return the newest release's tag and the digests it names."""
    with told(NEEDS["fleet"], host.mask):
        newest = project.releases.list(order_by="released_at", sort="desc", per_page=1, get_all=False)
        for release in newest:
            return release.tag_name, digests(release.description or "")
    return "", {}
