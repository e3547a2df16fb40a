"""Which repositories of a group use Autoclave, in which version, what they override and what they waive.

Read from the repositories alone: each one's `.gitlab-ci.yml` and decisions on its default branch, and its
newest release. Sources, all in docs.gitlab.com/api: groups (list projects), repository_files (raw),
repositories (tree), releases.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

from gitlab.v4.objects import Project
from msgspec import Struct

from autoclave.device.schema import DECISIONS, FILE, WAIVER
from autoclave.errors import HostError
from autoclave.hosts.gitlab.ci_file import CiFile, Override, read
from autoclave.hosts.gitlab.client import find_or_none, translate_errors
from autoclave.hosts.gitlab.permissions import NEEDS, Need
from autoclave.hosts.gitlab.project import GitLab
from autoclave.hosts.gitlab.release import digests

DEFAULT_FILE = ".gitlab-ci.yml"


class Row(Struct, frozen=True, kw_only=True):
    """One repository of the fleet. `ref` lists the versions it includes; `problem` is why nothing is known.

    The release and its digests are those of GitLab's release, not verified. `waivers` counts the files on the
    default branch, valid or not; None when that is not known.
    """

    project: str
    kind: str = ""
    ref: str = ""
    overrides: tuple[Override, ...] = ()
    variables: tuple[str, ...] = ()
    waivers: int | None = None
    release: str = ""
    digests: dict[str, str] = {}
    problem: str = ""


def survey(host: GitLab, group: str, template: str) -> Iterator[Row]:
    """Yield one row per project of a group and its subgroups. Raises HostError for the group itself."""
    for project in projects(host, group, "fleet"):
        yield _row(host, project, template)


def projects(host: GitLab, group: str, action: str) -> Iterator[Any]:
    """Yield the projects of a group and its subgroups that are not archived, page by page."""
    with host.perform(action):
        yield from host.client.groups.get(group, lazy=True).projects.list(
            iterator=True,
            include_subgroups=True,
            with_shared=False,
            archived=False,
            order_by="id",
            sort="asc",
        )


def configuration(host: GitLab, listed: Any, need: Need) -> tuple[str, str] | str:
    """Return path and text of a project's configuration, or the reason why it cannot be read."""
    branch = listed.attributes.get("default_branch")
    if not branch:
        return "the repository is empty, or hidden from the token"
    path = listed.attributes.get("ci_config_path") or DEFAULT_FILE
    if "@" in path or "://" in path:
        return f"its configuration is in another project or on a server: {path}"
    project = host.client.projects.get(listed.id, lazy=True)
    try:
        with translate_errors(need, host.mask):
            raw = find_or_none(lambda: project.files.raw(file_path=path, ref=branch))
    except HostError as error:
        return f"{error.what}: {error.why}"
    if raw is None:
        return f"there is no {path}, or the token may not read it"
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
    project = host.client.projects.get(listed.id, lazy=True)
    try:
        waivers = _waivers(host, project, listed.default_branch)
    except HostError as error:
        return _make_row(name, file, problem=f"its waivers: {error.what}: {error.why}")
    try:
        release, written = _release(host, project)
    except HostError as error:
        return _make_row(name, file, waivers=waivers, problem=f"its releases: {error.what}: {error.why}")
    return _make_row(name, file, waivers=waivers, release=release, digests=written)


def _make_row(name: str, file: CiFile, **more: Any) -> Row:
    return Row(
        project=name,
        kind=", ".join(dict.fromkeys(each.kind for each in file.includes)),
        ref=", ".join(dict.fromkeys(each.ref or "no ref" for each in file.includes)),
        overrides=file.overrides,
        variables=file.variables,
        **more,
    )


def _waivers(host: GitLab, project: Project, branch: str) -> int | None:
    """Count the waivers in the folder that the device file names; None without a valid device file.

    A missing folder is a 404, and was an empty list on older servers
    (github.com/python-gitlab/python-gitlab/issues/2710).
    """
    with translate_errors(NEEDS["fleet"], host.mask):
        raw = find_or_none(lambda: project.files.raw(file_path=FILE, ref=branch))
        if raw is None or (folder := _decisions(raw)) is None:
            return None
        entries = find_or_none(lambda: list(project.repository_tree(path=folder, ref=branch, iterator=True)))
        return len(
            [each for each in entries or () if each["type"] == "blob" and each["name"].endswith(WAIVER)]
        )


def _decisions(raw: bytes) -> str | None:
    """Return the folder of decisions that a device file names; None when it cannot be read."""
    try:
        device = tomllib.loads(raw.decode("utf-8")).get("device")
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return None
    folder = device.get("decisions", DECISIONS) if isinstance(device, dict) else None
    return folder if isinstance(folder, str) else None


def _release(host: GitLab, project: Project) -> tuple[str, dict[str, str]]:
    """Return the newest release's tag and the digests it names."""
    with translate_errors(NEEDS["fleet"], host.mask):
        newest = project.releases.list(order_by="released_at", sort="desc", per_page=1, get_all=False)
        for release in newest:
            return release.tag_name, digests(release.description or "")
    return "", {}
