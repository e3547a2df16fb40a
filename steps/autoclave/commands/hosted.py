"""What the commands that speak to a GitLab project share: options, connection, how a failure is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated

from autoclave import handing
from autoclave.context import Context
from autoclave.errors import UsageError
from autoclave.hosts import gitlab_settings
from autoclave.hosts.gitlab import GitLab, attempt
from autoclave.options import Common, OnImages, option
from autoclave.standing import Standing, standing


class Hosted(Common, frozen=True):
    """Options of the commands that speak to a GitLab project."""

    gitlab_url: Annotated[str, option("the GitLab server; none: CI_SERVER_URL")] = ""
    gitlab_project: Annotated[str, option("the project's id or path; none: CI_PROJECT_ID")] = ""


class Imaged(Hosted, frozen=True):
    """Options of those that read the records of images."""

    image: Annotated[tuple[str, ...], option("only this image of the device (may be repeated)")] = ()
    digest: Annotated[
        str, option("this digest, if not the one built last (of several images: NAME=DIGEST,NAME=DIGEST)")
    ] = ""
    take_from: Annotated[
        tuple[str, ...], option("first take in what another job handed on in this folder (repeatable)")
    ] = ()


class Telling(Imaged, frozen=True):
    """Options of the commands whose failure changes no verdict."""

    commit: Annotated[str, option("the commit; none: CI_COMMIT_SHA, else the one checked out")] = ""
    strict: Annotated[bool, option("end with code 35 when GitLab does not take it")] = False


def opened(opts: Hosted) -> GitLab:
    """Open the project. Raises HostError when server, project or token is not known."""
    server = gitlab_settings.server(opts.gitlab_url, os.environ)
    return GitLab(server, gitlab_settings.project(opts.gitlab_project, os.environ))


def tell(opts: Telling, ctx: Context, action: str, call: Callable[[], str]) -> None:
    """Tell GitLab, or warn that it could not be told."""
    outcome = attempt(call)
    if outcome.problem is None:
        ctx.screen.result(outcome.text, {"action": action, "done": True, "text": outcome.text})
        return
    if opts.strict:
        raise outcome.problem
    ctx.screen.warn(action, f"{outcome.problem.what}: {outcome.problem.why or outcome.problem.next}")
    ctx.screen.result(
        "GitLab was not told; no verdict depends on it", {"action": action, "done": False, "text": ""}
    )


def commit(given: str, ctx: Context) -> str:
    """Return the commit to speak of. Raises UsageError when there is none."""
    found = given or os.environ.get("CI_COMMIT_SHA", "") or ctx.commit.id
    if not found:
        raise UsageError("there is no commit to speak of", next="name it with --commit")
    return found


def standings(opts: Imaged, ctx: Context) -> list[Standing]:
    """Return how the images stand that the options name. Raises UsageError for one digest of several."""
    named = OnImages(store=opts.store, image=opts.image, digest=opts.digest, take_from=opts.take_from)
    images = ctx.images(opts.image)
    if opts.digest and "=" not in opts.digest and len(images) != 1:
        raise UsageError(
            "--digest stands for one image", next="name it with --image, or give NAME=DIGEST,NAME=DIGEST"
        )
    handing.take_in(named, ctx)
    return [standing(image, named.digest_of(image.name), ctx) for image in images]
