"""`autoclave status`: what runs where, and whether it still verifies."""

from __future__ import annotations

from typing import Annotated

import click

from autoclave import release, targets
from autoclave.cli.click_options import make_command
from autoclave.context import Context
from autoclave.device.schema import Environment
from autoclave.errors import AutoclaveError, DoctorFailed, Interrupted
from autoclave.model.digest import Digest
from autoclave.model.facts import Running
from autoclave.model.place import Destination
from autoclave.release import candidate, document, strays
from autoclave.release.deployments import find_release, tighten
from autoclave.runtime.options import Common, ReleaseName, option
from autoclave.store.image import read_identity

_UNRECORDED = "no good record says that one release was deployed here with these images and settings"


class Options(Common, frozen=True):
    """Options of `autoclave status`."""

    environment: Annotated[str, option("only this environment; none: all of them", argument=True)] = ""
    release: ReleaseName = ""


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    opened = document.open_release(ctx, named=opts.release)
    if opened and not document.is_signed(opened, ctx):
        raise DoctorFailed(
            f"no trusted key signed a verdict about release {Digest(opened.digest).short}",
            why="it is what says where to look",
            next="name a release with --release: 'autoclave sign' prints its digest",
        )
    places = [ctx.device.find_environment(opts.environment)] if opts.environment else ctx.device.environment
    sound = [_print_environment(environment, ctx) for environment in places]
    if not sound:
        ctx.screen.result("the device declares no environment", {"environments": []})
    if not all(sound):
        raise DoctorFailed(
            "something that runs is not what was released, is not healthy, or cannot be reached",
            next="put a release there: autoclave deploy ENV --again, or autoclave rollback ENV",
        )


def _print_environment(environment: Environment, ctx: Context) -> bool:
    """Report on one environment; return whether everything in it is sound. One out of reach is not."""
    try:
        target = targets.create(environment, ctx)
        destination, running = targets.find_destination(target, ctx), target.running()
    except Interrupted:
        raise
    except AutoclaveError as error:
        why = f"{error.what}: {error.why}" if error.why else error.what
        ctx.screen.result(
            f"{environment.name}: NOT REACHABLE, so what runs there is not known\n  - {why}",
            {"environment": environment.name, "reachable": False, "why": why},
        )
        return False
    if not running:
        ctx.screen.result(
            f"{environment.name}: nothing runs", {"environment": environment.name, "running": []}
        )
    named = find_release(running, destination, ctx)
    sound = [_print_running(each, named, environment, destination, ctx) for each in running]
    return all(sound)


def _print_running(
    running: Running, named: str, environment: Environment, destination: Destination, ctx: Context
) -> bool:
    reasons = _reasons(running, named, environment, destination, ctx)
    health = "healthy" if running.healthy else "NOT HEALTHY"
    verifies = "verifies" if not reasons else "DOES NOT VERIFY"
    where = f" {running.address}" if running.address else ""
    lines = [f"{environment.name}: {running.image} {running.digest} {health}, {verifies}{where}"]
    lines += [f"  - {reason}" for reason in reasons]
    ctx.screen.result(
        "\n".join(lines),
        {"environment": environment.name, "running": running, "verifies": not reasons, "reasons": reasons},
    )
    return running.healthy and not reasons


def _reasons(
    running: Running, named: str, environment: Environment, destination: Destination, ctx: Context
) -> list[str]:
    """Return why what runs does not verify as a release of this device, here and now.

    `named` is the release that was deployed there: what runs is judged by its own device file and policy.
    """
    try:
        descriptor = ctx.store.find_image(running.digest)
        made = read_identity(ctx.store, running.digest)
        there = ctx.fork()
        opened = document.find(there, named=named, digest="" if named else running.digest)
        if opened is None or opened.document.device != ctx.device.device.name:
            return [f"no release gate has judged {running.digest} as an image of this device"]
        document.adopt(opened, there)
        image = there.device.find_image(running.image)
        found = release.read(image, descriptor, there, destination=tighten(destination, there))
        strays.warn("status", image.name, found.evidence.strays, there)
        ((_, verdict),) = candidate.judge([found], environment.target, there)
    except AutoclaveError as error:
        return [f"{error.what}: {error.why}" if error.why else error.what]
    if running.container not in {made.config, running.digest}:
        return [f"the container runs {running.container}, which is not the image it is labelled with"]
    return [*verdict.reasons, *([] if named else [_UNRECORDED])]
