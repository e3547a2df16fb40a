"""What the commands share that read the records of images: their options, and how the images stand."""

from __future__ import annotations

from autoclave import handing
from autoclave.context import Context
from autoclave.errors import UsageError
from autoclave.options import Common, Digest, ImageNames, OnImages, TakeFrom
from autoclave.standing import Standing, standing


class Imaged(Common, frozen=True):
    """Options of those commands."""

    image: ImageNames = ()
    digest: Digest = ""
    take_from: TakeFrom = ()


def check_digest(opts: Imaged | OnImages, ctx: Context) -> None:
    """Raise UsageError for one bare digest where it could stand for several images."""
    if opts.digest and "=" not in opts.digest and len(ctx.images(opts.image)) != 1:
        raise UsageError(
            "--digest stands for one image", next="name it with --image, or give NAME=DIGEST,NAME=DIGEST"
        )


def standings(opts: Imaged, ctx: Context) -> list[Standing]:
    """Return how the images stand that the options name. Raises UsageError for one digest of several."""
    check_digest(opts, ctx)
    named = OnImages(store=opts.store, image=opts.image, digest=opts.digest, take_from=opts.take_from)
    handing.take_in(named, ctx)
    return [standing(image, named.digest_of(image.name), ctx) for image in ctx.images(opts.image)]
