"""What each action needs from GitLab: endpoints, kind of token, scope, role. Error messages quote it.

Sources: the page named in each row; which endpoints take a job token: docs.gitlab.com/ci/jobs/ci_job_token
and docs.gitlab.com/ci/jobs/fine_grained_permissions; roles: docs.gitlab.com/user/permissions.
"""

from __future__ import annotations

from msgspec import Struct


class Need(Struct, frozen=True, kw_only=True):
    """One action's needs. `role` is the least role of the token's user, with what may raise it."""

    action: str
    endpoints: tuple[str, ...]
    job_token: bool
    scope: str
    role: str
    page: str

    @property
    def tokens(self) -> str:
        """The kinds of token that are enough."""
        kinds = "a personal, project or group access token"
        return f"the CI job token, or {kinds}" if self.job_token else kinds

    @property
    def sentence(self) -> str:
        """The advice for a token that was refused."""
        return (
            f"{self.action} needs {self.tokens} with scope {self.scope}, of a user with the role {self.role} "
            f"({self.page})"
        )


NEEDS = {
    each.action: each
    for each in (
        Need(
            action="note",
            endpoints=(
                "GET /user",
                "GET /projects/:id/merge_requests/:iid/notes",
                "POST /projects/:id/merge_requests/:iid/notes",
                "PUT /projects/:id/merge_requests/:iid/notes/:note_id",
            ),
            job_token=False,
            scope="api",
            role="Reporter",
            page="https://docs.gitlab.com/api/notes/",
        ),
        Need(
            action="status",
            endpoints=(
                "GET /projects/:id/repository/commits/:sha/statuses",
                "POST /projects/:id/statuses/:sha",
            ),
            job_token=False,
            scope="api",
            role="Developer (on a protected branch: one who may push or merge to it)",
            page="https://docs.gitlab.com/api/commits/",
        ),
        Need(
            action="evidence",
            endpoints=(
                "GET /projects/:id/packages",
                "GET /projects/:id/packages/:package_id/package_files",
                "PUT /projects/:id/packages/generic/:name/:version/:file",
            ),
            job_token=True,
            scope="api",
            role="Developer",
            page="https://docs.gitlab.com/user/packages/generic_packages/",
        ),
        Need(
            action="release",
            endpoints=(
                "GET /projects/:id/releases/:tag",
                "POST /projects/:id/releases",
                "PUT /projects/:id/releases/:tag",
                "GET /projects/:id/releases/:tag/assets/links",
                "POST /projects/:id/releases/:tag/assets/links",
                "PUT /projects/:id/releases/:tag/assets/links/:link_id",
            ),
            job_token=True,
            scope="api",
            role="Developer (for a protected tag: one who may create it)",
            page="https://docs.gitlab.com/api/releases/",
        ),
        Need(
            action="deployment",
            endpoints=(
                "GET /projects/:id/deployments",
                "POST /projects/:id/deployments",
                "PUT /projects/:id/deployments/:deployment_id",
                "GET /projects/:id/environments",
                "PUT /projects/:id/environments/:environment_id",
            ),
            job_token=True,
            scope="api",
            role="Developer (for a protected environment: one who may deploy to it)",
            page="https://docs.gitlab.com/api/deployments/",
        ),
        Need(
            action="approvals",
            endpoints=("GET /projects/:id/deployments", "GET /projects/:id/deployments/:deployment_id"),
            job_token=True,
            scope="read_api",
            role="Reporter",
            page="https://docs.gitlab.com/api/deployments/",
        ),
        Need(
            action="fleet",
            endpoints=(
                "GET /groups/:id/projects",
                "GET /projects/:id/repository/files/:path/raw",
                "GET /projects/:id/repository/tree",
                "GET /projects/:id/releases",
            ),
            job_token=False,
            scope="read_api",
            role="Reporter",
            page="https://docs.gitlab.com/api/groups/",
        ),
        Need(
            action="fleet bump",
            endpoints=(
                "GET /groups/:id/projects",
                "GET /projects/:id/repository/files/:path/raw",
                "GET /projects/:id/repository/branches/:branch",
                "POST /projects/:id/repository/commits",
                "GET /projects/:id/merge_requests",
                "POST /projects/:id/merge_requests",
            ),
            job_token=False,
            scope="api",
            role="Developer",
            page="https://docs.gitlab.com/api/merge_requests/",
        ),
    )
}


def table() -> str:
    """Return the needs of all actions as a Markdown table, for the documentation."""
    head = ["action", "endpoints", "job token", "scope of an access token", "least role", "documentation"]
    rows = [head, ["---"] * len(head)]
    for need in NEEDS.values():
        endpoints = "<br>".join(f"`{endpoint}`" for endpoint in need.endpoints)
        job = "yes" if need.job_token else "no"
        rows.append(
            [need.action, endpoints, job, f"`{need.scope}`", need.role, f"[{_name(need.page)}]({need.page})"]
        )
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def _name(page: str) -> str:
    return page.removeprefix("https://docs.gitlab.com/").strip("/")
