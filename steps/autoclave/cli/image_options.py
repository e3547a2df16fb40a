"""What commands that read the records of images share: their options, and the status of the images."""

from __future__ import annotations

from autoclave.actions import handover
from autoclave.context import Context
from autoclave.device.schema import Image
from autoclave.model.digest import Digests
from autoclave.release.status import ImageStatus, read_status
from autoclave.runtime.options import Common, DigestText, ImageNames, TakeFrom
from autoclave.store.oci import Descriptor


class ImageOptions(Common, frozen=True):
    """Options of the commands that read records."""

    image: ImageNames = ()
    digest: DigestText = ""
    take_from: TakeFrom = ()


def read_standings(opts: ImageOptions, ctx: Context) -> list[ImageStatus]:
    """Return the status of the images that the options name. Raises UsageError for one digest of several."""
    digests = ctx.digests(opts)
    handover.read(opts.take_from, ctx)
    return [read_status(image, digests.of(image.name), ctx) for image in ctx.images(opts.image)]


def find_images(digest: str, ctx: Context) -> list[tuple[Image, Descriptor]]:
    """Return the device's images by digest, or those built last.

    Raises UsageError for one digest where the device has several images.
    """
    digests = Digests.parse(digest, [image.name for image in ctx.device.image], option="DIGEST")
    return [(image, ctx.subject(image, digests.of(image.name))) for image in ctx.device.image]
