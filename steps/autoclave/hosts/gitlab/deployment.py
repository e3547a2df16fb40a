"""A deployment as GitLab records it, and who approved it.

A GitLab deployment has environment, commit, ref and status, and no place for an image digest; the
environment has one field of free text, its description. The digest is written there, and read back: an
older server ignores the field without an error.
Sources: docs.gitlab.com/api/deployments, docs.gitlab.com/api/environments.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from gitlab.v4.objects import ProjectDeployment
from msgspec import Struct

from autoclave.errors import HostError
from autoclave.hosts.gitlab.project import GitLab

_NEWEST = 20  # deployments of an environment among which an unfinished one is searched


class HostDeployment(Struct, frozen=True, kw_only=True):
    """A deployment to record. `status` is running, success or failed; `digests` by image."""

    environment: str
    sha: str
    ref: str
    tag: bool
    status: str
    digests: dict[str, str]


class Approval(Struct, frozen=True, kw_only=True, rename="camel"):
    """One person's approval of a deployment, as GitLab reports it. `status` is approved or rejected."""

    user_id: int
    username: str
    status: str
    comment: str
    at: datetime


class Approvals(Struct, frozen=True, kw_only=True, rename="camel"):
    """What GitLab reports about the approvals of one deployment; `pending` counts those still missing."""

    deployment: int
    environment: str
    sha: str
    status: str
    pending: int
    approvals: tuple[Approval, ...]


def record(host: GitLab, wanted: HostDeployment) -> list[str]:
    """Record a deployment, and the digests at its environment; return what was done. Raises HostError."""
    with host.perform("deployment"):
        done = [host.client.repeat_unclear(lambda: _record(host, wanted))]
        return [*done, _describe(host, wanted)]


def read_approvals(host: GitLab, environment: str, sha: str) -> Approvals:
    """Read the approvals of the newest deployment of a commit to an environment. Raises HostError."""
    with host.perform("approvals"):
        newest = next(iter(_find_newest(host, environment, sha)), None)
        if newest is None:
            raise HostError(
                f"GitLab has no deployment of {sha[:12]} to {environment}",
                next="give the job that deploys 'environment:', or run 'autoclave gitlab deployment' before",
            )
        return parse_approvals(host.project.deployments.get(newest.id).attributes)


def parse_approvals(answer: dict[str, Any]) -> Approvals:
    """Return the approvals in GitLab's answer, one of several rules once. Raises HostError."""
    rules = (answer.get("approval_summary") or {}).get("rules") or []
    listed = [*(answer.get("approvals") or [])]
    listed += [each for rule in rules for each in rule.get("deployment_approvals") or []]
    try:
        found = {_approval(each) for each in listed}
        return Approvals(
            deployment=answer["id"],
            environment=answer["environment"]["name"],
            sha=answer["sha"],
            status=answer["status"],
            pending=answer.get("pending_approval_count") or 0,
            approvals=tuple(sorted(found, key=lambda each: (each.at, each.user_id))),
        )
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise HostError("GitLab's answer about approvals is invalid", why=repr(error)) from error


def _approval(each: dict[str, Any]) -> Approval:
    data = {
        "userId": each["user"]["id"],
        "username": each["user"]["username"],
        "status": each["status"],
        "comment": each.get("comment") or "",
        "at": each["created_at"],
    }
    return msgspec.convert(data, Approval)


def _find_newest(host: GitLab, environment: str, sha: str) -> list[ProjectDeployment]:
    """Return the newest deployments of a commit to an environment, newest first."""
    newest = host.project.deployments.list(
        environment=environment, order_by="id", sort="desc", per_page=_NEWEST, get_all=False
    )
    return [each for each in newest if each.sha == sha]


def _record(host: GitLab, wanted: HostDeployment) -> str:
    there = _find_newest(host, wanted.environment, wanted.sha)
    newest = there[0] if there else None
    if newest and newest.attributes.get("deployable"):
        # The job's own deployment: GitLab follows it, and refuses changes by the API.
        return f"GitLab's own deployment #{newest.id} follows the job"
    if newest and newest.status == wanted.status:
        return f"deployment #{newest.id} is {wanted.status} already"
    if newest and newest.status in ("created", "running"):
        host.project.deployments.update(newest.id, {"status": wanted.status})
        return f"deployment #{newest.id}: {wanted.status}"
    data = {"environment": wanted.environment, "sha": wanted.sha, "ref": wanted.ref, "tag": wanted.tag}
    made: Any = host.project.deployments.create(data | {"status": wanted.status})
    return f"created deployment #{made.id}: {wanted.status}"


def _describe(host: GitLab, wanted: HostDeployment) -> str:
    """Write the digests that run into the environment's description; only a success changes what runs."""
    if wanted.status != "success":
        return "the environment's description is unchanged: nothing new runs"
    text = ", ".join(f"{image} {digest}" for image, digest in sorted(wanted.digests.items()))
    for environment in host.project.environments.list(iterator=True, name=wanted.environment):
        if environment.attributes.get("description") == text:
            return f"environment {wanted.environment} names the digest already"
        answer = host.project.environments.update(environment.id, {"description": text})
        if answer.get("description") == text:
            return f"environment {wanted.environment} names the digest"
        return (
            f"this GitLab keeps no description of environment {wanted.environment}: the digest is not in it"
        )
    return f"GitLab has no environment {wanted.environment}: the digest is not in it"
