"""What the commands for a GitLab project share: options, connection, and how a failure is reported."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated

from autoclave.cli.image_options import ImageOptions
from autoclave.context import Context
from autoclave.errors import UsageError
from autoclave.hosts.gitlab import settings
from autoclave.hosts.gitlab.project import GitLab, attempt
from autoclave.runtime.options import DryRun, option


class ProjectOptions(ImageOptions, frozen=True):
    """Options of the commands for a GitLab project."""

    gitlab_url: Annotated[str, option("the GitLab server; none: CI_SERVER_URL")] = ""
    gitlab_project: Annotated[str, option("the project's id or path; none: CI_PROJECT_ID")] = ""
    dry_run: DryRun = False


class ReportOptions(ProjectOptions, frozen=True):
    """Options of the commands whose failure changes no verdict."""

    commit: Annotated[str, option("the commit; none: CI_COMMIT_SHA, else the one checked out")] = ""
    strict: Annotated[bool, option("end with exit code 35 when GitLab does not accept it")] = False


def open_project(opts: ProjectOptions) -> GitLab:
    """Open the project. Raises HostError when server, project or token is missing."""
    server = settings.server(opts.gitlab_url, os.environ)
    return GitLab(server, settings.project(opts.gitlab_project, os.environ))


def report_to_gitlab(opts: ReportOptions, ctx: Context, action: str, call: Callable[[], str]) -> None:
    """Write to GitLab, or warn that it failed."""
    outcome = attempt(call)
    if outcome.problem is None:
        ctx.screen.result(outcome.text, {"action": action, "done": True, "text": outcome.text})
        return
    if opts.strict:
        raise outcome.problem
    ctx.screen.warn(action, f"{outcome.problem.what}: {outcome.problem.why or outcome.problem.next}")
    ctx.screen.result(
        "nothing was written to GitLab; no verdict depends on it",
        {"action": action, "done": False, "text": ""},
    )


def find_commit(given: str, ctx: Context) -> str:
    """Return the commit that the command is about. Raises UsageError when it is missing."""
    found = given or os.environ.get("CI_COMMIT_SHA", "") or ctx.source.commit
    if not found:
        raise UsageError("no commit is named, and none is checked out", next="name it with --commit")
    return found
