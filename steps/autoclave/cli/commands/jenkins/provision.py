"""`autoclave jenkins provision`: the device's pipeline job in Jenkins, and the folders around it."""

from __future__ import annotations

import os
import re
from typing import Annotated

import click

from autoclave import __version__
from autoclave.cli.click_options import make_command
from autoclave.context import Context
from autoclave.device.source import repository
from autoclave.errors import SourceError, UsageError
from autoclave.hosts.jenkins import jobs, names, settings
from autoclave.hosts.jenkins.job_config import JobSpec, Library
from autoclave.hosts.jenkins.server import Jenkins
from autoclave.runtime.folder import Folder
from autoclave.runtime.options import Common, DryRun, option

_LARGEST = 1 << 20  # bytes of a Jenkinsfile
_LOADED = re.compile(r"@Library\s*\(([^)]*)\)")


class Options(Common, frozen=True):
    """Options of `autoclave jenkins provision`."""

    jenkins_url: Annotated[str, option("the Jenkins server; none: JENKINS_URL")] = ""
    jenkins_folder: Annotated[
        str, option("the folder for the job (FOLDER/FOLDER); created when it is missing")
    ] = ""
    job: Annotated[str, option("the job's name; none: the device's")] = ""
    git_url: Annotated[str, option("the device repository for Jenkins; none: that of remote 'origin'")] = ""
    git_credentials: Annotated[str, option("id of the credentials in Jenkins for that repository")] = ""
    branch: Annotated[str, option("the branch to build")] = "main"
    script: Annotated[str, option("path of the Jenkinsfile in the repository")] = "Jenkinsfile"
    library: Annotated[str, option("the shared library that the Jenkinsfile loads: NAME@VERSION")] = (
        f"autoclave@v{__version__}"
    )
    library_url: Annotated[
        str, option("make it a library of the folder, from this repository; none: it is a global one")
    ] = ""
    library_credentials: Annotated[str, option("id of the credentials in Jenkins for the library")] = ""
    parameter: Annotated[
        tuple[str, ...], option("NAME=DEFAULT of a text parameter of the job (may be repeated)")
    ] = ()
    poll: Annotated[str, option("check for new commits on this schedule, e.g. 'H/5 * * * *'")] = ""
    cron: Annotated[str, option("build on this schedule, e.g. 'H 2 * * *' or '@daily'")] = ""
    dry_run: DryRun = False


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _provision)


def _provision(opts: Options, ctx: Context) -> None:
    device = ctx.device.device
    name = names.item("/".join(part for part in (opts.jenkins_folder, opts.job or device.name) if part))
    library, version = names.library(opts.library)
    wanted = JobSpec(
        git_url=names.remote(opts.git_url or _find_origin(ctx)),
        branch=names.branch(opts.branch),
        script=names.script(opts.script),
        credentials=names.credentials(opts.git_credentials),
        description=f"Pipeline of the device {device.name}. Created by 'autoclave jenkins provision'.",
        parameters=tuple(names.parameter(each) for each in opts.parameter),
        poll=names.schedule(opts.poll),
        cron=names.schedule(opts.cron),
    )
    of_folder = _library(opts, library, version)
    host = Jenkins(settings.server(opts.jenkins_url, os.environ))
    plans = jobs.plan(host, name, wanted, of_folder)
    for plan in plans:
        text = plan.diff or f"{plan.name} is up to date"
        data = {"action": "provision", "item": plan.name, "changes": plan.changes, "diff": plan.diff}
        ctx.screen.result(host.mask(text), data)
        for kept in plan.kept:
            ctx.screen.warn(
                "provision", f"parameter {kept} is not a text parameter in Jenkins: it is not changed"
            )
    _warn_of_script(ctx, opts.script, library, version)
    if not opts.dry_run and any(plan.changes for plan in plans):
        done = jobs.apply(host, plans)
        ctx.screen.result("\n".join(done), {"action": "provision", "done": done})
    if of_folder is None:
        _warn_of_library(ctx, host, name, library, version)


def _library(opts: Options, name: str, version: str) -> Library | None:
    if not opts.library_url:
        return None
    return Library(
        name=name,
        version=version,
        git_url=names.remote(opts.library_url),
        credentials=names.credentials(opts.library_credentials),
    )


def _find_origin(ctx: Context) -> str:
    """Return the address of the device repository's origin. Raises UsageError."""
    found = repository.find(ctx.folder)
    # Named, so that git does not look for one: it would take a bare repository inside of the work tree.
    argv = ["git", f"--git-dir={found.common}", "remote", "get-url", "origin"] if found else []
    origin = ctx.shell.run(argv, ok=(0, 2, 128)).out.decode("utf-8", "replace").strip() if argv else ""
    if not origin:
        raise UsageError(
            "the device repository has no remote named 'origin'",
            next="name its address for Jenkins with --git-url",
        )
    return origin


def _warn_of_script(ctx: Context, script: str, library: str, version: str) -> None:
    """Warn when the Jenkinsfile does not load the library, before the first build fails for it."""
    found = repository.find(ctx.folder)
    folder = found.top if found else ctx.folder
    line = f"its first line must be: @Library('{library}@{version}') _"
    try:
        text = Folder(folder).read(script, limit=_LARGEST).decode("utf-8", "replace")
    except SourceError:
        ctx.screen.warn("provision", f"{script} is not in the repository; {line}")
        return
    loaded = [each for found in _LOADED.findall(text) for each in re.findall(r"['\"]([^'\"]+)['\"]", found)]
    mine = [each for each in loaded if each.partition("@")[0] == library]
    if f"{library}@{version}" not in mine:
        what = f"loads {', '.join(mine)}" if mine else f"does not load the library {library}"
        ctx.screen.warn("provision", f"{script} {what}; {line}")


def _warn_of_library(ctx: Context, host: Jenkins, job: str, library: str, version: str) -> None:
    """Print where the library is from: Jenkins shows global libraries to administrators only."""
    folder, hidden = jobs.library_at(host, job, library)
    if folder:
        ctx.screen.note("provision", f"the library {library} is that of the folder {folder}")
        return
    unseen = f" (the account may not read: {', '.join(hidden)})" if hidden else ""
    ctx.screen.warn(
        "provision",
        f"no folder around {job} has a library {library}{unseen}: the administrator must have a global one "
        f"(Manage Jenkins, System, Global Trusted Pipeline Libraries: name {library}, Modern SCM, Git, "
        f"default version {version}), or give --library-url",
    )
