"""`autoclave seal [DIGEST]`: name everything attached to an image in a new seal, and have it time-stamped."""

from __future__ import annotations

from typing import Annotated

import click

from autoclave.cli.click_options import make_command
from autoclave.cli.image_options import find_images
from autoclave.context import Context
from autoclave.release import seal
from autoclave.release.verification import read_attached
from autoclave.runtime.options import ReleaseName, Signing, option


class Options(Signing, frozen=True):
    """Options of `autoclave seal`."""

    digest: Annotated[
        str,
        option("the digest of an image of the release; none: the release judged last", argument=True),
    ] = ""
    release: ReleaseName = ""


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    for image, descriptor in find_images(opts.digest, ctx, release=opts.release):
        made = seal.apply(read_attached(descriptor, ctx), image, ctx)
        ctx.screen.result(
            f"{image.name} {descriptor.digest}\n  sealed by {made.digest}",
            {"image": image.name, "digest": descriptor.digest, "seal": made.digest},
        )
