"""The images of a device that a command's DIGEST argument names."""

from __future__ import annotations

from autoclave.context import Context
from autoclave.device import Image
from autoclave.errors import UsageError
from autoclave.options import OnImages
from autoclave.store.oci import Descriptor


def chosen(digest: str, ctx: Context) -> list[tuple[Image, Descriptor]]:
    """Return the device's images by digest, or those built last.

    Raises UsageError for one bare digest where the device has several images.
    """
    if digest and "=" not in digest and len(ctx.device.image) != 1:
        raise UsageError(
            "one digest stands for one image, and the device has several",
            next="give all of them as the build step printed them: NAME=DIGEST,NAME=DIGEST",
        )
    named = OnImages(digest=digest)
    return [(image, ctx.subject(image, named.digest_of(image.name))) for image in ctx.device.image]
