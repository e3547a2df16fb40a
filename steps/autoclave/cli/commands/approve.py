"""`autoclave approve ENV`: a person's signature under a release, for one environment."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated

import click

from autoclave.actions import approve, waive
from autoclave.cli.click_options import make_command
from autoclave.context import Context
from autoclave.errors import DecisionError, UsageError
from autoclave.model.declared import Meaning
from autoclave.model.digest import digest_of
from autoclave.release import document
from autoclave.runtime.options import ReleaseName, StepOptions, option


class Options(StepOptions, frozen=True, kw_only=True):
    """Options of `autoclave approve`."""

    environment: Annotated[str, option("the environment, as autoclave.toml names it", argument=True)]
    release: ReleaseName = ""
    place: Annotated[
        str,
        option("where it is to run, as 'autoclave plan' prints it there; none: what is reached here"),
    ] = ""
    reason: Annotated[str, option("why, in words: it is recorded and signed")] = ""
    role: Annotated[str, option("in which of your roles; none: the only one")] = ""
    meaning: Annotated[str, option("review, approval, responsibility or authorship")] = Meaning.APPROVAL
    shown: Annotated[
        str, option("the sha256 of the text that you read before; none: show it and ask here")
    ] = ""


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    _open(opts, ctx)
    environment = ctx.device.find_environment(opts.environment)
    destination = approve.find_destination(environment, opts.place, ctx)
    subjects = [approve.read_subject(image, ctx) for image in ctx.device.image]
    text = approve.describe(subjects, destination, ctx)
    digest = digest_of(text.encode())
    ctx.screen.result(text, {"shown": text, "digest": digest})
    ctx.screen.result(f"sha256 of this text: {digest}", {})
    if opts.dry_run:
        return
    if not opts.key:
        raise UsageError(
            "an approval is signed with a person's key",
            why="the pipeline's keys and development keys approve nothing",
            next="name yours with --key (file:, hsm:, awskms: …) and the trust file with --trust",
        )
    if not opts.reason.strip():
        raise UsageError("an approval needs --reason", next="say why: --reason 'verified on the bench, R-17'")
    meaning = _parse_meaning(opts.meaning)
    signer = ctx.open_signer(opts.key, opts.public_key, "")
    person = waive.person_of(signer, "approve", ctx)
    failed = [each for each in subjects if each.release.result != "PASSED"]
    if failed and meaning in {Meaning.APPROVAL, Meaning.RESPONSIBILITY}:
        raise DecisionError(
            f"{failed[0].release.image.name} did not pass the release gate, so it cannot be approved",
            next="a review of it can be signed: --meaning review",
        )
    _confirm(opts.shown, digest, person.id)
    approval = approve.make_approval(
        person,
        opts.role,
        meaning,
        opts.reason,
        destination=destination,
        text=text,
        now=datetime.now().astimezone(),
    )
    approve.attach(approval, text, subjects, signer, ctx)
    ctx.screen.result(
        f"{approval.printed_name} ({approval.user}) signed as {approval.role}: {approval.meaning} of "
        f"{opts.environment} ({destination.place}), {approval.signed_at.isoformat(timespec='seconds')}",
        {"approval": approval},
    )


def _open(opts: Options, ctx: Context) -> None:
    """Open the release to approve. Raises DecisionError when it is not clear which one that is."""
    if document.open_latest(ctx, named=opts.release, digest=opts.digest) is None:
        raise DecisionError(
            "there is no release to approve",
            why="no release gate has judged what was built last",
            next="run 'autoclave sign' first, or name an older release with --release",
        )


def _parse_meaning(text: str) -> Meaning:
    try:
        return Meaning(text)
    except ValueError as error:
        raise UsageError(f"there is no meaning '{text}'", next=f"one of: {', '.join(Meaning)}") from error


def _confirm(shown: str, digest: str, user: str) -> None:
    """Make sure that the signer has read exactly this text. Raises DecisionError, UsageError."""
    if shown:
        if shown != digest:
            raise DecisionError(
                "what you read is not what would be signed",
                why=f"you read {shown[:100]}, this is {digest}",
                next="read the text above and sign again",
            )
        return
    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal on which the text could be confirmed",
            next=f"read it, then sign with --shown {digest}",
        )
    if click.prompt("To sign, type your user id", err=True) != user:
        raise DecisionError("not signed", why="that is not the user id of this key")
