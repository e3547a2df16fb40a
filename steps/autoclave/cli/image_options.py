"""What the commands share that read the records of images: their options, and how the images stand."""

from __future__ import annotations

from autoclave.actions import handover
from autoclave.context import Context
from autoclave.device.schema import Image
from autoclave.errors import UsageError
from autoclave.release.status import ImageStatus, read_status
from autoclave.runtime.options import Common, Digest, ImageNames, StepOptions, TakeFrom
from autoclave.store.oci import Descriptor


class ImageOptions(Common, frozen=True):
    """Options of those commands."""

    image: ImageNames = ()
    digest: Digest = ""
    take_from: TakeFrom = ()


def check_digest(opts: ImageOptions | StepOptions, ctx: Context) -> None:
    """Raise UsageError for one bare digest where it could stand for several images."""
    if opts.digest and "=" not in opts.digest and len(ctx.images(opts.image)) != 1:
        raise UsageError(
            "--digest stands for one image", next="name it with --image, or give NAME=DIGEST,NAME=DIGEST"
        )


def read_standings(opts: ImageOptions, ctx: Context) -> list[ImageStatus]:
    """Return how the images stand that the options name. Raises UsageError for one digest of several."""
    check_digest(opts, ctx)
    named = StepOptions(store=opts.store, image=opts.image, digest=opts.digest, take_from=opts.take_from)
    handover.take_in(named, ctx)
    return [read_status(image, named.digest_of(image.name), ctx) for image in ctx.images(opts.image)]


def find_images(digest: str, ctx: Context) -> list[tuple[Image, Descriptor]]:
    """Return the device's images by digest, or those built last.

    Raises UsageError for one bare digest where the device has several images.
    """
    if digest and "=" not in digest and len(ctx.device.image) != 1:
        raise UsageError(
            "one digest stands for one image, and the device has several",
            next="give all of them as the build step printed them: NAME=DIGEST,NAME=DIGEST",
        )
    named = StepOptions(digest=digest)
    return [(image, ctx.subject(image, named.digest_of(image.name))) for image in ctx.device.image]
