"""Endpoints of groups, repositories, merge requests, environments and deployments."""

from __future__ import annotations

from typing import Any

from doubles.gitlab_double import DEVELOPER, Call, Param, Refusal, endpoint
from doubles.gitlab_project import DEPLOYMENTS, ENVIRONMENTS, SORT, STRING, TEXT, find, person
from doubles.gitlab_state import NOW

GROUPS = "docs.gitlab.com/api/groups"
FILES = "docs.gitlab.com/api/repository_files"
TREE = "docs.gitlab.com/api/repositories"
BRANCHES = "docs.gitlab.com/api/branches"
COMMITS = "docs.gitlab.com/api/commits"
REQUESTS = "docs.gitlab.com/api/merge_requests"
BOOL, INT = Param(bool), Param(int)


@endpoint(
    "GET",
    "/groups/:id/projects",
    GROUPS,
    paged=True,
    archived=BOOL,
    include_subgroups=BOOL,
    with_shared=BOOL,
    order_by=Param(values=("id", "name", "path", "created_at", "updated_at", "last_activity_at")),
    sort=SORT,
    simple=BOOL,
    search=STRING,
    visibility=STRING,
    owned=BOOL,
    min_access_level=INT,
)
def group_projects(call: Call) -> Any:
    """docs.gitlab.com/api/groups (list projects): those of subgroups only when asked for."""
    group = call.parts["id"]
    mine = [each for each in call.double.projects.values() if each.path.startswith(f"{group}/")]
    if not mine:
        raise Refusal(404, {"message": "404 Group Not Found"})
    if str(call.given.get("include_subgroups")).lower() != "true":
        mine = [each for each in mine if each.path.count("/") == group.count("/") + 1]
    if "archived" in call.given:
        mine = [each for each in mine if str(each.archived).lower() == str(call.given["archived"]).lower()]
    return [each.as_json() for each in sorted(mine, key=lambda each: each.id)]


@endpoint("GET", "/projects/:id/repository/files/:path/raw", FILES, job=True, ref=STRING, lfs=BOOL)
def raw_file(call: Call) -> Any:
    """docs.gitlab.com/api/repository_files (get raw file from repository)."""
    files = call.project.branches.get(call.given.get("ref") or call.project.default_branch)
    if files is None or call.parts["path"] not in files:
        raise Refusal(404, {"message": "404 File Not Found"})
    return files[call.parts["path"]]


@endpoint("GET", "/projects/:id/repository/tree", TREE, paged=True, path=STRING, ref=STRING, recursive=BOOL)
def tree(call: Call) -> Any:
    """docs.gitlab.com/api/repositories (list repository tree): 404 for a path that is not there.

    That it is no empty list, as on older servers: github.com/python-gitlab/python-gitlab/issues/2710.
    """
    files = call.project.branches.get(call.given.get("ref") or call.project.default_branch) or {}
    folder = call.given.get("path", "").strip("/")
    inside = [name for name in files if not folder or name.startswith(f"{folder}/")]
    if not inside:
        raise Refusal(404, {"message": "404 Tree Not Found"})
    first = sorted({name[len(folder) :].strip("/").partition("/")[::2] for name in inside})
    kinds = {name: "tree" if rest else "blob" for name, rest in first}
    return [
        {"name": name, "type": kind, "path": f"{folder}/{name}".strip("/"), "id": "0" * 40}
        for name, kind in kinds.items()
    ]


@endpoint("GET", "/projects/:id/repository/branches/:branch", BRANCHES)
def branch(call: Call) -> Any:
    """docs.gitlab.com/api/branches (get single repository branch)."""
    if call.parts["branch"] not in call.project.branches:
        raise Refusal(404, {"message": "404 Branch Not Found"})
    return {"name": call.parts["branch"], "protected": False}


@endpoint(
    "POST",
    "/projects/:id/repository/commits",
    COMMITS,
    role=DEVELOPER,
    made=201,
    branch=TEXT,
    commit_message=TEXT,
    actions=Param(list, required=True),
    start_branch=STRING,
    start_sha=STRING,
    start_project=STRING,
    author_email=STRING,
    author_name=STRING,
    force=BOOL,
    stats=BOOL,
)
def commit(call: Call) -> Any:
    """docs.gitlab.com/api/commits (create a commit with multiple files and actions)."""
    name, start = call.given["branch"], call.given.get("start_branch")
    branches = call.project.branches
    if start and name in branches:
        raise Refusal(400, {"message": f"A branch called '{name}' already exists. Switch to that branch"})
    if not start and name not in branches:
        raise Refusal(400, {"message": "You can only create or edit files when you are on a branch"})
    files = dict(branches[start or name])
    for action in call.given["actions"]:
        if action["action"] != "update" or action["file_path"] not in files:
            raise Refusal(400, {"message": "A file with this name doesn't exist"})
        files[action["file_path"]] = action["content"].encode()
    branches[name] = files
    return {"id": "c" * 40, "message": call.given["commit_message"]}


@endpoint(
    "GET",
    "/projects/:id/merge_requests",
    REQUESTS,
    job=True,
    paged=True,
    state=Param(values=("opened", "closed", "locked", "merged", "all")),
    source_branch=STRING,
    target_branch=STRING,
    order_by=STRING,
    sort=SORT,
    scope=STRING,
)
def merge_requests(call: Call) -> Any:
    """docs.gitlab.com/api/merge_requests (list project merge requests)."""
    kept = call.project.merge_requests
    for key in ("source_branch", "target_branch"):
        kept = [each for each in kept if each[key] == call.given.get(key, each[key])]
    state = call.given.get("state", "all")
    return [each for each in kept if state in ("all", each["state"])]


@endpoint(
    "POST",
    "/projects/:id/merge_requests",
    REQUESTS,
    role=DEVELOPER,
    made=201,
    source_branch=TEXT,
    target_branch=TEXT,
    title=TEXT,
    description=STRING,
    remove_source_branch=BOOL,
    squash=BOOL,
    labels=STRING,
    assignee_id=INT,
    allow_collaboration=BOOL,
    target_project_id=INT,
    milestone_id=INT,
)
def create_merge_request(call: Call) -> Any:
    """docs.gitlab.com/api/merge_requests (create MR): 409 when one is open for the source branch."""
    source, target = call.given["source_branch"], call.given["target_branch"]
    if source not in call.project.branches:
        raise Refusal(400, {"message": {"source_branch": ["does not exist"]}})
    there = [each for each in call.project.merge_requests if each["source_branch"] == source]
    if any(each["state"] == "opened" for each in there):
        raise Refusal(409, {"message": ["Another open merge request already exists for this source branch"]})
    iid = len(call.project.merge_requests) + 1
    address = f"{call.double.url}/{call.project.path}/-/merge_requests/{iid}"
    made = {
        "iid": iid,
        "state": "opened",
        "source_branch": source,
        "target_branch": target,
        "web_url": address,
    }
    made |= {"title": call.given["title"], "description": call.given.get("description", "")}
    call.project.merge_requests.append(made)
    return made


def environment_json(call: Call, environment: dict[str, Any]) -> dict[str, Any]:
    hidden = () if call.double.environment_descriptions else ("description",)
    return {key: value for key, value in environment.items() if key not in hidden}


@endpoint(
    "GET",
    "/projects/:id/environments",
    ENVIRONMENTS,
    job=True,
    paged=True,
    name=STRING,
    search=STRING,
    states=Param(values=("available", "stopping", "stopped")),
)
def environments(call: Call) -> Any:
    """docs.gitlab.com/api/environments (list environments)."""
    name = call.given.get("name")
    return [
        environment_json(call, each) for each in call.project.environments if name in (None, each["name"])
    ]


@endpoint(
    "PUT",
    "/projects/:id/environments/:environment",
    ENVIRONMENTS,
    job=True,
    role=DEVELOPER,
    description=STRING,
    external_url=STRING,
    tier=Param(values=("production", "staging", "testing", "development", "other")),
    cluster_agent_id=INT,
    kubernetes_namespace=STRING,
    flux_resource_path=STRING,
    auto_stop_setting=STRING,
)
def update_environment(call: Call) -> Any:
    """docs.gitlab.com/api/environments (update an existing environment); older servers lack `description`."""
    environment = find(call.project.environments, "Environment", id=call.parts["environment"])
    if call.double.environment_descriptions and "description" in call.given:
        environment["description"] = call.given["description"]
    return environment_json(call, environment)


@endpoint(
    "GET",
    "/projects/:id/deployments",
    DEPLOYMENTS,
    job=True,
    paged=True,
    order_by=Param(values=("id", "iid", "created_at", "updated_at", "finished_at", "ref")),
    sort=SORT,
    environment=STRING,
    status=STRING,
    updated_after=STRING,
    updated_before=STRING,
)
def deployments(call: Call) -> Any:
    """docs.gitlab.com/api/deployments (list project deployments): oldest first unless asked otherwise."""
    name = call.given.get("environment")
    kept = [each for each in call.project.deployments if name in (None, each["environment"]["name"])]
    return kept[::-1] if call.given.get("sort") == "desc" else kept


@endpoint("GET", "/projects/:id/deployments/:deployment", DEPLOYMENTS, job=True)
def deployment(call: Call) -> Any:
    """docs.gitlab.com/api/deployments (get a specific deployment), with approvals on Premium."""
    return find(call.project.deployments, "Deployment", id=call.parts["deployment"])


STATUS = Param(required=True, values=("running", "success", "failed", "canceled"))


@endpoint(
    "POST",
    "/projects/:id/deployments",
    DEPLOYMENTS,
    job=True,
    role=DEVELOPER,
    made=201,
    environment=TEXT,
    sha=TEXT,
    ref=TEXT,
    tag=Param(bool, required=True),
    status=STATUS,
)
def create_deployment(call: Call) -> Any:
    """docs.gitlab.com/api/deployments (create a deployment): makes the environment when it is not there."""
    status = call.given["status"]
    name = call.given["environment"]
    if not any(each["name"] == name for each in call.project.environments):
        call.project.environments.append({"id": next(call.double.ids), "name": name, "description": None})
    made = {
        "id": next(call.double.ids),
        "environment": {"name": name},
        "status": status,
        "deployable": None,
        "user": person(call),
        "created_at": NOW,
    } | {key: call.given[key] for key in ("sha", "ref", "tag")}
    call.project.deployments.append(made)
    return made


@endpoint(
    "PUT", "/projects/:id/deployments/:deployment", DEPLOYMENTS, job=True, role=DEVELOPER, status=STATUS
)
def update_deployment(call: Call) -> Any:
    """docs.gitlab.com/api/deployments (update a deployment): not one that a job made."""
    found_ = find(call.project.deployments, "Deployment", id=call.parts["deployment"])
    if found_["deployable"]:
        raise Refusal(
            403, {"message": "403 Forbidden - Deployments created using GitLab CI can not be updated"}
        )
    found_["status"] = call.given["status"]
    return found_
