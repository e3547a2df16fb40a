"""`autoclave policy export --kubernetes ENV`: the API server itself lets only verified digests in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import click

from autoclave import release, targets
from autoclave.cli.click_options import make_command
from autoclave.context import Context
from autoclave.deploy import judge
from autoclave.device.schema import Image
from autoclave.errors import AutoclaveError, ConfigError, DeployGateClosed
from autoclave.model.digest import Digest
from autoclave.release import document
from autoclave.release.deployments import deployments_of, tighten
from autoclave.release.document import open_release
from autoclave.runtime.options import Common, ReleaseName, option
from autoclave.targets.base import Target
from autoclave.targets.kubernetes import admission
from autoclave.targets.kubernetes.manifests import dump


class Options(Common, frozen=True):
    """Options of `autoclave policy export`."""

    release: ReleaseName = ""
    kubernetes: Annotated[str, option("the environment whose namespace is to be guarded")] = ""
    output: Annotated[str, option("write it to this file, not to standard output", short="-o")] = ""


def command() -> click.Command:
    """Return the command."""
    text = "write what makes a cluster refuse all but verified digests"
    return make_command("export", text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    open_release(ctx, named=opts.release)
    environment = ctx.device.find_environment(opts.kubernetes)
    if environment.kubernetes is None:
        raise ConfigError(
            f"environment '{environment.name}' is not a cluster",
            next="name one with [environment.kubernetes]",
        )
    target = targets.create(environment, ctx)
    running = target.running()
    verified = sorted(
        {
            digest
            for image in ctx.device.image
            for digest in _find_verified(
                image, [each.digest for each in running if each.image == image.name], target, ctx
            )
        }
    )
    if not verified:
        raise DeployGateClosed(
            f"no release of this device verifies for {environment.name}",
            why="a policy that admits nothing would block what runs at its next restart",
            next="release an image first: autoclave run --to sign",
        )
    text = dump(admission.make_policy(ctx.device.device.name, environment.kubernetes.namespace, verified))
    if opts.output:
        path = Path(opts.output)
        ctx.folder_at(str(path.parent)).write(path.name, [text.encode()])
        ctx.screen.note("policy", f"{opts.output}: {len(verified)} verified digest(s) may run")
        return
    ctx.screen.result(text.rstrip(), {"policy": text, "digests": verified})


def _find_verified(image: Image, running: list[str], target: Target, ctx: Context) -> Iterator[str]:
    """Yield the digests of an image that verify today: the one built last, what runs, and what ran before."""
    destination = targets.find_destination(target, ctx)
    waiting = list(running)
    if built := ctx.store.find(image.name):
        waiting.append(built.digest)
    seen: set[str] = set()
    while waiting:
        digest = waiting.pop()
        if digest in seen or not digest.startswith("sha256:"):
            continue
        seen.add(digest)
        there = ctx.fork()
        try:
            descriptor = ctx.store.find_image(digest)
            judged = document.find(there, digest=digest)
            if judged is None or judged.document.device != ctx.device.device.name:
                continue
            document.adopt(judged, there)
            found = release.read(image, descriptor, there, destination=tighten(destination, there))
        except AutoclaveError as error:  # an old release that cannot be judged today is not let in
            ctx.screen.warn("policy", f"{image.name} {Digest(digest).short} is left out: {error.what}")
            continue
        for each in deployments_of(found.attached, image, ctx):
            waiting.append(each.replaced.get(image.name, ""))
        if judge([found], target, there).passed:
            yield digest
