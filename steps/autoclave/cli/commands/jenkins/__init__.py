"""`autoclave jenkins provision|run|describe|approvals|plugins`: jobs and builds of a Jenkins server.

`run` and `plugins` need no device repository; the others are in modules of their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import click
from msgspec import Struct

from autoclave.cli import screen
from autoclave.cli.click_options import parameters
from autoclave.cli.commands.jenkins import approvals, describe, provision
from autoclave.console.base import Screen
from autoclave.errors import DoctorFailed, HostError, Interrupted, RunFailed
from autoclave.hosts.jenkins import names, plugins, settings
from autoclave.hosts.jenkins import run as jenkins_run
from autoclave.hosts.jenkins.plugins import PluginCheck
from autoclave.hosts.jenkins.server import Jenkins, path_of
from autoclave.runtime.options import option

_HOUR = 3600


class ServerOptions(Struct, frozen=True, kw_only=True):
    """Options of `autoclave jenkins plugins`."""

    jenkins_url: Annotated[str, option("the Jenkins server; none: JENKINS_URL")] = ""
    json: Annotated[bool, option("one JSON object per line instead of text")] = False
    debug: Annotated[bool, option("show a traceback when an error ends the command")] = False


class RunOptions(ServerOptions, frozen=True, kw_only=True):
    """Options of `autoclave jenkins run`."""

    job: Annotated[str, option("the job's full name: FOLDER/JOB", argument=True)]
    parameter: Annotated[tuple[str, ...], option("NAME=VALUE for the build (may be repeated)")] = ()
    timeout: Annotated[int, option("seconds after which the build is not followed any more; 0: no limit")] = (
        2 * _HOUR
    )


O = TypeVar("O", bound=ServerOptions)  # noqa: E741 -- the usual letter for options


def command(name: str, text: str) -> click.Command:
    """Return the group of commands."""
    commands = [
        provision.command("provision", "create or update the device's pipeline job"),
        _command("run", "start a job, show its log, end with its result", RunOptions, _run),
        describe.command("describe", "write the verdicts into a build's description"),
        approvals.command("approvals", "record who answered an input, as Jenkins' statement"),
        _command("plugins", "check that the server has the plugins that are needed", ServerOptions, _plugins),
    ]
    return click.Group(name, commands=commands, help=text, short_help=text)


def _command(
    name: str, text: str, kind: type[O], call: Callable[[O, Jenkins, Screen], None]
) -> click.Command:
    def run(**given: Any) -> int:
        opts = kind(**given)
        view = screen.choose(as_json=opts.json)
        try:
            call(opts, Jenkins(settings.server(opts.jenkins_url, os.environ)), view)
        finally:
            view.close()
        return 0

    return click.Command(name, callback=run, params=parameters(kind), help=text, short_help=text)


def _run(opts: RunOptions, host: Jenkins, view: Screen) -> None:
    job = names.item(opts.job)
    given = dict(names.parameter(each) for each in opts.parameter)
    started = jenkins_run.start(host, job, given)
    where = host.address(path_of(job))
    try:
        build, result = _follow(opts, host, view, started)
    except KeyboardInterrupt:
        raise Interrupted(
            "the build is not followed any more",
            why="it continues in Jenkins",
            next=f"see it, or stop it, at {where}",
        ) from None
    except jenkins_run.BuildTimeout:
        raise RunFailed(
            f"{job} did not end within {opts.timeout} s", why="it continues in Jenkins", next=f"see {where}"
        ) from None
    except HostError as error:
        error.next = f"{error.next}; a build that has begun continues: {where}"
        raise
    where = host.address(f"{path_of(job)}{build}/")
    if result != jenkins_run.PASSED:
        raise RunFailed(
            f"{job} #{build} ended as {result}", why="its log is shown above", next=f"see {where}"
        )
    view.result(
        f"{job} #{build} ended as {result}: {where}",
        {"action": "run", "job": job, "build": build, "result": result, "url": where},
    )


def _follow(
    opts: RunOptions, host: Jenkins, view: Screen, started: jenkins_run.QueuedBuild
) -> tuple[int, str]:
    patience = jenkins_run.Patience(host.sleep, opts.timeout)
    if not started.item:
        view.warn("jenkins", "this server names no queue item: the next build is assumed to be ours")
    build = jenkins_run.wait_for_number(
        host, started, patience, lambda why: view.note("jenkins", host.mask(why))
    )
    view.begin("jenkins", f"{started.job} #{build}: {host.address(f'{path_of(started.job)}{build}/')}")
    for line in jenkins_run.follow_log(host, started.job, build, patience):
        view.line("jenkins", line)
    return build, jenkins_run.wait_for_result(host, started.job, build, patience)


def _plugins(opts: ServerOptions, host: Jenkins, view: Screen) -> None:
    found = plugins.check_all(host)
    data = {
        "plugins": [
            {"name": each.wanted.name, "version": each.version, "problem": each.problem} for each in found
        ]
    }
    view.result(_table(found), data)
    missing = [each.wanted.name for each in found if not each.passed]
    if missing:
        raise DoctorFailed(
            f"{len(missing)} plugins of this server are missing, inactive or too old",
            why=", ".join(missing),
            next="the administrator installs or updates them (Manage Jenkins, Plugins)",
        )


def _table(found: list[PluginCheck]) -> str:
    rows = [("", "plugin", "version", "for", "")]
    for each in found:
        sign = "·" if each.wanted.optional and each.problem else "✔" if each.passed else "✘"
        why = each.wanted.why + (" (optional)" if each.wanted.optional else "")
        rows.append((sign, each.wanted.name, each.version or "-", why, each.problem))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)
