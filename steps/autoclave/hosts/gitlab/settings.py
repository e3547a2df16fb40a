"""Server, project and token: from options, else from the variables that GitLab sets in its jobs.

The token is read from the environment only: an argument would be visible in the process list.
Source of the CI_* names: docs.gitlab.com/ci/variables/predefined_variables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from autoclave.errors import HostError
from autoclave.hosts.gitlab.permissions import Need

TOKEN = "AUTOCLAVE_GITLAB_TOKEN"  # noqa: S105 -- the name of a variable
JOB_TOKEN = "CI_JOB_TOKEN"  # noqa: S105 -- likewise


class Token(Struct, frozen=True):
    """A token. `job` is true for a CI job token, which far fewer endpoints accept."""

    value: str
    job: bool

    def __repr__(self) -> str:
        """Never show the value, not even in a traceback."""
        return f"Token(job={self.job})"


class Server(Struct, frozen=True, kw_only=True):
    """A GitLab server and how to connect to it. `ca` is a PEM file, empty for the usual authorities."""

    url: str
    token: Token
    ca: str = ""


def server(url: str, environ: Mapping[str, str]) -> Server:
    """Return the server. Raises HostError when it or the token is missing."""
    api = environ.get("CI_API_V4_URL", "").removesuffix("/").removesuffix("/api/v4")
    found = url or environ.get("CI_SERVER_URL", "") or api
    if not found.startswith(("https://", "http://")):
        raise HostError(
            f"'{found}' is not the address of a GitLab server" if found else "no GitLab server is named",
            next="name it with --gitlab-url, e.g. https://gitlab.example.com",
        )
    return Server(url=found.rstrip("/"), token=token(environ), ca=environ.get("CI_SERVER_TLS_CA_FILE", ""))


def token(environ: Mapping[str, str]) -> Token:
    """Return the access token, else the job's own. Raises HostError when both are missing.

    An invalid token is refused here: a later error would quote it.
    """
    given, job = environ.get(TOKEN, "").strip(), environ.get(JOB_TOKEN, "").strip()
    if not given and not job:
        raise HostError(
            "there is no GitLab token",
            why=f"neither {TOKEN} nor, inside a job, {JOB_TOKEN} is set",
            next=f"set {TOKEN} to an access token (as a masked variable of the project)",
        )
    if not re.fullmatch(r"[!-~]+", given or job):
        raise HostError(
            f"the value of {TOKEN if given else JOB_TOKEN} is not a token",
            why="it has blanks, line breaks or letters that no token has",
            next="set it to the token alone",
        )
    # A job token under the other name is still one: GitLab expects it in another header.
    return Token(given or job, job=not given or given == job)


def project(given: str, environ: Mapping[str, str]) -> str:
    """Return the project's id or path. Raises HostError when it is missing."""
    return require_setting("project", given, environ, "CI_PROJECT_ID", "--gitlab-project")


def require_setting(what: str, given: str, environ: Mapping[str, str], variable: str, flag: str) -> str:
    """Return a setting, else the variable that GitLab sets. Raises HostError."""
    found = given or environ.get(variable, "")
    if not found:
        raise HostError(f"no {what} is named", why=f"{variable} is not set", next=f"name it with {flag}")
    return found


def check(need: Need, token: Token) -> None:
    """Raise HostError before a request that GitLab always refuses to this kind of token."""
    if token.job and not need.job_token:
        raise HostError(
            f"GitLab does not accept a CI job token for: {need.action}",
            why=need.sentence,
            next=f"set {TOKEN} to such a token (as a masked variable of the project)",
        )
