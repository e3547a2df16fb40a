"""Endpoints of one project: notes, statuses, packages, releases, environments, deployments."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from doubles.gitlab_double import DEVELOPER, Call, Param, Refusal, endpoint
from doubles.gitlab_state import NOW

NOTES = "docs.gitlab.com/api/notes"
COMMITS = "docs.gitlab.com/api/commits"
GENERIC = "docs.gitlab.com/user/packages/generic_packages"
PACKAGES = "docs.gitlab.com/api/packages"
RELEASES = "docs.gitlab.com/api/releases"
LINKS = "docs.gitlab.com/api/releases/links"
ENVIRONMENTS = "docs.gitlab.com/api/environments"
DEPLOYMENTS = "docs.gitlab.com/api/deployments"
USERS = "docs.gitlab.com/api/users"

STRING, TEXT = Param(), Param(required=True)
SORT = Param(values=("asc", "desc"))


def find(items: list[dict[str, Any]], what: str, **wanted: Any) -> dict[str, Any]:
    for each in items:
        if all(str(each[name]) == str(value) for name, value in wanted.items()):
            return each
    raise Refusal(404, {"message": f"404 {what} Not Found"})


def person(call: Call, user: int | None = None) -> dict[str, Any]:
    number = user or call.token.user
    return {"id": number, "username": call.double.users[number]}


@endpoint("GET", "/user", USERS)
def user(call: Call) -> Any:
    """docs.gitlab.com/api/users (get the current user); a job token is not listed for it."""
    return person(call)


def notes_of(call: Call) -> list[dict[str, Any]]:
    try:
        return call.project.notes[int(call.parts["iid"])]
    except (KeyError, ValueError):
        raise Refusal(404, {"message": "404 Not found"}) from None


@endpoint(
    "GET",
    "/projects/:id/merge_requests/:iid/notes",
    NOTES,
    job=True,
    paged=True,
    sort=SORT,
    order_by=Param(values=("created_at", "updated_at")),
)
def notes(call: Call) -> Any:
    """docs.gitlab.com/api/notes (list all merge request notes): newest first unless asked otherwise."""
    listed = notes_of(call)
    return listed if call.given.get("sort") == "asc" else listed[::-1]


@endpoint(
    "POST",
    "/projects/:id/merge_requests/:iid/notes",
    NOTES,
    made=201,
    body=TEXT,
    created_at=STRING,
    internal=Param(bool),
    merge_request_diff_head_sha=STRING,
)
def create_note(call: Call) -> Any:
    """docs.gitlab.com/api/notes (create new merge request note); the job token may not."""
    body = call.given["body"]
    # docs.gitlab.com/user/project/quick_actions: a line that begins with one is carried out.
    if re.search(r"^/[a-z]", body, re.M):
        call.double.violations.append(f"quick action in a note: {body}")
    note = {
        "id": next(call.double.ids),
        "body": body,
        "author": person(call),
        "system": False,
        "created_at": NOW,
    }
    notes_of(call).append(note)
    return note


@endpoint("PUT", "/projects/:id/merge_requests/:iid/notes/:note", NOTES, body=TEXT)
def update_note(call: Call) -> Any:
    """docs.gitlab.com/api/notes (modify existing merge request note): one's own only."""
    note = find(notes_of(call), "Note", id=call.parts["note"])
    if note["author"]["id"] != call.token.user:
        raise Refusal(403, {"message": "403 Forbidden"})
    note["body"] = call.given["body"]
    return note


@endpoint(
    "GET",
    "/projects/:id/repository/commits/:sha/statuses",
    COMMITS,
    paged=True,
    ref=STRING,
    stage=STRING,
    name=STRING,
    all=Param(bool),
    pipeline_id=Param(int),
    order_by=Param(values=("id", "pipeline_id")),
    sort=SORT,
)
def statuses(call: Call) -> Any:
    """docs.gitlab.com/api/commits (list commit statuses): the latest of each name."""
    latest: dict[str, Any] = {}
    for each in call.project.statuses:
        fits = all(
            str(each[key]) == str(call.given[key]) for key in ("name", "pipeline_id") if key in call.given
        )
        if each["sha"] == call.parts["sha"] and fits:
            latest[each["name"]] = each
    return list(latest.values())


@endpoint(
    "POST",
    "/projects/:id/statuses/:sha",
    COMMITS,
    role=DEVELOPER,
    made=201,
    state=Param(required=True, values=("pending", "running", "success", "failed", "canceled", "skipped")),
    coverage=STRING,
    context=STRING,
    description=STRING,
    name=STRING,
    pipeline_id=Param(int),
    ref=STRING,
    target_url=STRING,
)
def create_status(call: Call) -> Any:
    """docs.gitlab.com/api/commits (set commit pipeline status); description: at most 255 characters.

    A status that is running cannot begin again: 400 "Cannot transition status via :run from :running".
    """
    if call.parts["sha"] not in call.project.commits:
        raise Refusal(404, {"message": "404 Commit Not Found"})
    if len(call.given.get("description", "")) > 255:
        raise Refusal(400, {"message": {"description": ["is too long (maximum is 255 characters)"]}})
    name, state = call.given.get("name", "default"), call.given["state"]
    there = [
        each for each in call.project.statuses if (each["sha"], each["name"]) == (call.parts["sha"], name)
    ]
    unfinished = there[-1] if there and there[-1]["status"] in ("pending", "running") else None
    if unfinished and unfinished["status"] == state == "running":
        raise Refusal(400, {"message": "Cannot transition status via :run from :running"})
    made = {
        "id": next(call.double.ids),
        "sha": call.parts["sha"],
        "name": name,
        "status": state,
        "description": call.given.get("description"),
        "target_url": call.given.get("target_url"),
        "pipeline_id": call.given.get("pipeline_id"),
    }
    if unfinished:
        unfinished.update(made, id=unfinished["id"])
        return unfinished
    call.project.statuses.append(made)
    return made


@endpoint(
    "GET",
    "/projects/:id/packages",
    PACKAGES,
    job=True,
    paged=True,
    order_by=STRING,
    sort=SORT,
    package_type=STRING,
    package_name=STRING,
    package_version=STRING,
    include_versionless=Param(bool),
    status=STRING,
)
def packages(call: Call) -> Any:
    """docs.gitlab.com/api/packages (for a project): package_name is a fuzzy search."""
    wanted = call.given.get("package_name", "")
    keys = ("id", "name", "version", "package_type")
    return [{key: each[key] for key in keys} for each in call.project.packages if wanted in each["name"]]


@endpoint("GET", "/projects/:id/packages/:package/package_files", PACKAGES, job=True, paged=True)
def package_files(call: Call) -> Any:
    """docs.gitlab.com/api/packages (list package files): several may have one name."""
    return find(call.project.packages, "Package", id=call.parts["package"])["files"]


@endpoint(
    "PUT",
    "/projects/:id/packages/generic/:name/:version/:file",
    GENERIC,
    job=True,
    role=DEVELOPER,
    made=201,
    select=Param(values=("package_file",)),
    status=Param(values=("default", "hidden")),
)
def upload(call: Call) -> Any:
    """docs.gitlab.com/user/packages/generic_packages (publish a package file)."""
    name, version, file = call.parts["name"], call.parts["version"], call.parts["file"]
    for label, value, rule in (
        ("package_name", name, r"[A-Za-z0-9._-]+"),
        ("package_version", version, r"(\.?[\w+-]+\.?)+"),
        ("file_name", file, r"[A-Za-z0-9._-]+"),
    ):
        if not re.fullmatch(rule, value):
            raise Refusal(400, {"error": f"{label} is invalid"})
    there = [each for each in call.project.packages if (each["name"], each["version"]) == (name, version)]
    if not there:
        made = {
            "id": next(call.double.ids),
            "name": name,
            "version": version,
            "package_type": "generic",
            "files": [],
        }
        call.project.packages.append(made)
        there = [made]
    content = call.body + (b"!" if call.double.damage_uploads else b"")
    record = {
        "id": next(call.double.ids),
        "package_id": there[0]["id"],
        "file_name": file,
        "size": len(content),
        "file_sha256": hashlib.sha256(content).hexdigest(),
    }
    there[0]["files"].append(record)
    return record if call.given.get("select") else {"message": "201 Created"}


def release_of(call: Call) -> dict[str, Any]:
    return find(call.project.releases, "Release", tag_name=call.parts["tag"])


@endpoint("GET", "/projects/:id/releases/:tag", RELEASES, job=True, include_html_description=Param(bool))
def release(call: Call) -> Any:
    """docs.gitlab.com/api/releases (get a release by a tag name)."""
    return release_of(call)


@endpoint(
    "GET",
    "/projects/:id/releases",
    RELEASES,
    job=True,
    paged=True,
    order_by=Param(values=("released_at", "created_at")),
    sort=SORT,
    include_html_description=Param(bool),
    updated_before=STRING,
    updated_after=STRING,
)
def releases(call: Call) -> Any:
    """docs.gitlab.com/api/releases (list releases): newest first."""
    return call.project.releases[::-1]


@endpoint(
    "POST",
    "/projects/:id/releases",
    RELEASES,
    job=True,
    role=DEVELOPER,
    made=201,
    tag_name=TEXT,
    name=STRING,
    tag_message=STRING,
    description=STRING,
    ref=STRING,
    milestones=Param(list),
    assets=Param(dict),
    released_at=STRING,
)
def create_release(call: Call) -> Any:
    """docs.gitlab.com/api/releases (create a release): the tag exists or `ref` is given; 409 for a second."""
    tag = call.given["tag_name"]
    if any(each["tag_name"] == tag for each in call.project.releases):
        raise Refusal(409, {"message": "Release already exists"})
    if tag not in call.project.tags and "ref" not in call.given:
        raise Refusal(400, {"message": "Ref is not specified"})
    made = {
        "tag_name": tag,
        "name": call.given.get("name"),
        "description": call.given.get("description"),
        "links": [],
    }
    call.project.releases.append(made)
    return made


@endpoint(
    "PUT",
    "/projects/:id/releases/:tag",
    RELEASES,
    job=True,
    role=DEVELOPER,
    name=STRING,
    description=STRING,
    milestones=Param(list),
    released_at=STRING,
)
def update_release(call: Call) -> Any:
    """docs.gitlab.com/api/releases (update a release)."""
    release_of(call).update(
        {key: value for key, value in call.given.items() if key in ("name", "description")}
    )
    return release_of(call)


LINK = {"url": STRING, "filepath": STRING, "direct_asset_path": STRING}
LINK |= {"link_type": Param(values=("other", "runbook", "image", "package"))}


@endpoint("GET", "/projects/:id/releases/:tag/assets/links", LINKS, job=True, paged=True)
def links(call: Call) -> Any:
    """docs.gitlab.com/api/releases/links (list links of a release)."""
    return release_of(call)["links"]


@endpoint(
    "POST",
    "/projects/:id/releases/:tag/assets/links",
    LINKS,
    job=True,
    role=DEVELOPER,
    made=201,
    **LINK | {"name": TEXT, "url": TEXT},
)
def create_link(call: Call) -> Any:
    """docs.gitlab.com/api/releases/links (create a release link): name and URL are unique in the release."""
    listed = release_of(call)["links"]
    for key in ("name", "url"):
        if any(each[key] == call.given[key] for each in listed):
            raise Refusal(400, {"message": {key: ["has already been taken"]}})
    listed.append({"id": next(call.double.ids), **call.given})
    return listed[-1]


@endpoint(
    "PUT",
    "/projects/:id/releases/:tag/assets/links/:link",
    LINKS,
    job=True,
    role=DEVELOPER,
    **LINK | {"name": STRING},
)
def update_link(call: Call) -> Any:
    """docs.gitlab.com/api/releases/links (update a release link)."""
    link = find(release_of(call)["links"], "Link", id=call.parts["link"])
    link.update(call.given)
    return link
