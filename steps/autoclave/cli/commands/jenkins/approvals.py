"""`autoclave jenkins approvals`: record what Jenkins says about an `input` as evidence of the host.

It is the host's statement: it is signed with the pipeline's key and never counts as a person's approval.
"""

from __future__ import annotations

from typing import Annotated

import click
import msgspec
from msgspec import Struct

from autoclave.cli.click_options import make_command
from autoclave.context import Context
from autoclave.errors import HostError, SourceError
from autoclave.evidence import predicates
from autoclave.evidence.statement import HOST_APPROVALS
from autoclave.hosts.summary import to_plain
from autoclave.model.digest import Digest
from autoclave.model.moment import Moment
from autoclave.model.plan import StepPlan
from autoclave.model.verdict import Verdict
from autoclave.release.document import open_latest
from autoclave.runtime.options import ReleaseName, StepOptions, option

FILE = "reports/device/approval.json"  # where the shared library writes who answered
_LARGEST = 64 * 1024


class Options(StepOptions, frozen=True, kw_only=True):
    """Options of `autoclave jenkins approvals`."""

    environment: Annotated[str, option("the environment, as autoclave.toml names it", argument=True)]
    release: ReleaseName = ""
    record: Annotated[bool, option("attach it to the images, signed, as the host's statement")] = False


class InputAnswer(Struct, frozen=True, kw_only=True):
    """Who answered an input, as the shared library writes it; `digest` names the images that were shown."""

    host: str
    environment: str
    submitter: str
    digest: str
    build: str
    time: Moment


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    open_latest(ctx, named=opts.release, digest=opts.digest)
    digests = ctx.digests(opts)
    ctx.device.find_environment(opts.environment)
    said = _read(opts.environment, ctx)
    text = f"{said.submitter} approved {said.environment} at {said.time:%Y-%m-%d %H:%M:%S} UTC"
    ctx.screen.result(to_plain(f"{text}, says {said.build}"), {"approval": said})
    if not opts.record:
        return
    now = ctx.now()
    for image in ctx.device.image:
        subject = ctx.subject(image, digests.of(image.name))
        if subject.digest not in said.digest:
            raise HostError(
                f"what was approved in Jenkins is not {image.name} {Digest(subject.digest).short}",
                why=f"the input named {said.digest[:300]}",
                next="give the digests of that build: --digest NAME=DIGEST",
            )
        planned = StepPlan(
            step="approvals",
            image=image.name,
            commands=(),
            tools={"host": "jenkins"},
            inputs={"environment": said.environment, "build": said.build},
        )
        if opts.dry_run:
            continue
        info = ctx.info(planned, Verdict("approvals"), now, now)
        ctx.attach(subject, HOST_APPROVALS, predicates.host_approvals(info, said))
    verb = "would be attached" if opts.dry_run else "attached"
    ctx.screen.result(
        f"{verb} to {len(ctx.device.image)} image(s), as Jenkins' statement", {"attached": not opts.dry_run}
    )


def _read(environment: str, ctx: Context) -> InputAnswer:
    path = ctx.state.path / FILE
    try:
        said = msgspec.json.decode(ctx.state.read(FILE, limit=_LARGEST), type=InputAnswer)
    except (SourceError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HostError(
            f"{path} does not say who approved",
            why=error.reason if isinstance(error, SourceError) else str(error),
            next="autoclavePipeline(production: …) writes it when a person answers",
        ) from error
    if said.environment != environment:
        raise HostError(f"{path} is about {said.environment}, not {environment}")
    return said
