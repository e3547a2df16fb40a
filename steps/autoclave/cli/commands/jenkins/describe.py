"""`autoclave jenkins describe`: the verdicts of the verified records as the description of a build."""

from __future__ import annotations

import os
from typing import Annotated

import click

from autoclave.cli.click_options import make_command
from autoclave.cli.image_options import ImageOptions, find_verifier, read_standings
from autoclave.context import Context
from autoclave.errors import HostError, UsageError
from autoclave.hosts.jenkins import build_description as report
from autoclave.hosts.jenkins import names, settings
from autoclave.hosts.jenkins.build import describe
from autoclave.hosts.jenkins.server import Jenkins
from autoclave.hosts.summary import About
from autoclave.runtime.options import DryRun, option


class Options(ImageOptions, frozen=True):
    """Options of `autoclave jenkins describe`."""

    job: Annotated[str, option("the job's full name (FOLDER/JOB); none: JOB_NAME", argument=True)] = ""
    number: Annotated[str, option("the build's number; none: BUILD_NUMBER", argument=True)] = ""
    jenkins_url: Annotated[str, option("the Jenkins server; none: JENKINS_URL")] = ""
    commit: Annotated[str, option("the commit; none: GIT_COMMIT, else the one checked out")] = ""
    html: Annotated[bool, option("write HTML, for servers whose markup formatter is 'Safe HTML'")] = False
    strict: Annotated[bool, option("end with exit code 35 when Jenkins does not accept it")] = False
    dry_run: DryRun = False


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _describe)


def _describe(opts: Options, ctx: Context) -> None:
    found = read_standings(opts, ctx)
    device = ctx.device.device
    about = About(
        device=device.name,
        version=device.version,
        safety_class=device.safety_class.value,
        commit=opts.commit or os.environ.get("GIT_COMMIT", "") or ctx.source.commit,
        verifier=find_verifier(found),
    )
    text = (report.html if opts.html else report.text)(about, found)
    data = {"action": "describe", "text": text, "badge": report.badge(found)}
    if opts.dry_run:
        ctx.screen.result(text, data)
        return
    try:
        done = _send(opts, text)
    except HostError as error:
        if opts.strict:
            raise
        ctx.screen.warn("describe", f"{error.what}: {error.why or error.next}")
        ctx.screen.result("nothing was written to Jenkins; no verdict depends on it", data | {"done": False})
        return
    ctx.screen.result(f"{done}\n{report.badge(found)}", data | {"done": True})


def _send(opts: Options, text: str) -> str:
    job = _require("job", opts.job, "JOB_NAME")
    number = names.number(_require("build", opts.number, "BUILD_NUMBER"))
    host = Jenkins(settings.server(opts.jenkins_url, os.environ))
    return describe(host, names.item(job), number, lambda before: report.merge(before, text))


def _require(what: str, given: str, variable: str) -> str:
    found = given or os.environ.get(variable, "")
    if not found:
        raise UsageError(f"no {what} is named", why=f"{variable} is not set", next="name it: JOB NUMBER")
    return found
