"""`autoclave tools`: the programs that are needed, which are here, and where the others come from."""

from __future__ import annotations

from typing import Annotated, Any

import click

from autoclave import tools as known
from autoclave.actions import tools as action
from autoclave.actions.tools import place
from autoclave.cli.click_options import make_command
from autoclave.cli.commands.doctor.programs import find_needed
from autoclave.cli.commands.doctor.subject import find_subject
from autoclave.context import Context
from autoclave.errors import AutoclaveError, ScannerError
from autoclave.runtime import programs
from autoclave.runtime.options import Common, option
from autoclave.scanners.base import Scanner
from autoclave.scanners.options import ScannerOptions, create
from autoclave.tools import Tool
from autoclave.tools.examine import Here, State, examine
from autoclave.tools.versions import find_version

_STEP = "tools"
_ENGINE = "engine"
_MARKS = {State.ACCEPTED: "✔", State.OTHER: "✘", State.SILENT: "✘", State.MISSING: "○"}
_ABOUT = "list what is needed for what, which version is here, and which are accepted"


class Options(Common, frozen=True):
    """Options of `autoclave tools list`."""

    scanners: ScannerOptions = ScannerOptions()


class InstallOptions(Common, frozen=True):
    """Options of `autoclave tools install`."""

    name: Annotated[
        str,
        option(
            "the tool, as listed; none: the scanner, and what the device's environments need", argument=True
        ),
    ] = ""
    tools_from: Annotated[
        str, option("folder or address with the vendors' release files, for a mirror", flag="--from")
    ] = ""
    step_image: Annotated[str, option("Autoclave's step image as a source of tools, NAME@sha256:…")] = ""


def command(name: str, text: str) -> click.Command:
    """Return the group of commands; without a subcommand it lists."""
    listing = make_command("list", _ABOUT, Options, _list)
    about = "get a tool: a release file, the step image's, or built from pinned modules; says which"
    install = make_command("install", about, InstallOptions, _install)

    def run(**given: Any) -> Any:
        if click.get_current_context().invoked_subcommand is None and listing.callback:
            return listing.callback(**given)
        return None

    return click.Group(
        name,
        commands=[listing, install],
        callback=run,
        params=listing.params,
        invoke_without_command=True,
        help=text,
        short_help=text,
    )


def _list(opts: Options, ctx: Context) -> None:
    scanners = create(opts.scanners, (), ctx.shell)
    commands = {each.name: str(getattr(each, "program", "")) for each in scanners}
    for tool in known.table().values():
        here = (
            _ask_engine(tool, ctx)
            if tool.name == _ENGINE
            else examine(tool, ctx.shell, command=commands.get(tool.name, ""))
        )
        _show(here, ctx)
    for scanner in scanners:
        _show_databases(scanner, ctx)


def _ask_engine(tool: Tool, ctx: Context) -> Here:
    try:
        name = ctx.engine.info().name
    except AutoclaveError:
        return Here(tool, State.MISSING)
    version = find_version(name)
    state = State.ACCEPTED if tool.accepted.has(version) else State.OTHER
    return Here(tool, state, path=ctx.engine.address, version=version, found_by="DOCKER_HOST or socket")


def _show(here: Here, ctx: Context) -> None:
    tool = here.tool
    origin = place.read_origin(here.path) if here.found_by == "installed" else None
    lines = [
        f"{_MARKS[here.state]} {tool.name:<8} {here.version or here.state:<10} {here.path}".rstrip(),
        f"accepted: {tool.accepted} ({'no other' if tool.enforced else 'others are used, and reported'}); "
        f"tested: {', '.join(tool.tested)}",
        f"{tool.purpose}; needed by: {tool.needed}",
    ]
    if origin:
        lines.append(
            f"from: {origin[0].origin}" + ("" if origin[1] else "; IT WAS CHANGED SINCE: install it again")
        )
    if here.state is not State.ACCEPTED:
        lines.append(f"get it: {tool.hint or f'autoclave tools install {tool.name}'}")
    data = {
        "tool": tool.name,
        "state": here.state,
        "version": here.version,
        "path": here.path,
        "found_by": here.found_by,
        "least": tool.least,
        "below": tool.below,
        "tested": tool.tested,
        "enforced": tool.enforced,
        "needed": tool.needed,
        "origin": origin[0].origin if origin else "",
        "unchanged": origin[1] if origin else None,
    }
    ctx.screen.result("\n             ".join(lines), data)


def _show_databases(scanner: Scanner, ctx: Context) -> None:
    """Show the databases of a scanner: its advisories, and the indexes by which it recognises packages."""
    try:
        versions = scanner.versions()
    except ScannerError:  # its own line says it
        return
    except AutoclaveError as error:
        text = f"○ database of {scanner.name}: {error.what}\n             get it: autoclave database update"
        ctx.screen.result(text, {"database": scanner.name, "state": "missing", "why": error.what})
        return
    for name, each in (("advisories", versions.database), *((each.name, each) for each in versions.indexes)):
        ctx.screen.result(
            f"✔ database of {scanner.name}: {name}, of {each.updated:%Y-%m-%d %H:%M} UTC",
            {"database": scanner.name, "part": name, "updated": each.updated, "digest": each.digest},
        )


def _install(opts: InstallOptions, ctx: Context) -> None:
    means = action.Means(
        shell=ctx.shell,
        engine=lambda: ctx.engine,
        note=lambda text: ctx.screen.note(_STEP, text),
        mirror=opts.tools_from,
        image=opts.step_image,
    )
    hint = False
    for tool in [known.find(opts.name)] if opts.name else _list_needed(ctx):
        got = action.install(tool, means)
        hint = hint or got.path.startswith(str(programs.folder()))
        ctx.screen.result(f"{got.tool} {got.version}: {got.origin}\n  {got.path}", {"tool": got})
    if hint and (line := place.path_hint()):
        ctx.screen.note(_STEP, line)


def _list_needed(ctx: Context) -> list[Tool]:
    """Return the scanners that the policy requires, and what the device's environments need."""
    subject, _ = find_subject(ctx)
    scanners = create(ScannerOptions(), subject.policy.scan.scanners, ctx.shell)
    names = [each.name for each in scanners if each.name in known.table()]
    return [known.find(name) for name in (*names, *(find_needed(subject.device) if subject.device else ()))]
