"""What commands that read the records of images share: their options, and the status of the images."""

from __future__ import annotations

from collections.abc import Sequence

from autoclave.actions import handover
from autoclave.bundles import check
from autoclave.context import Context
from autoclave.device.schema import Image
from autoclave.model.digest import Digest, Digests
from autoclave.release import Release, decisions, strays
from autoclave.release.document import open_latest
from autoclave.release.status import ImageStatus, read_status
from autoclave.release.verification import read
from autoclave.runtime.options import Common, DigestText, ImageNames, ReleaseName, TakeFrom
from autoclave.store.oci import Descriptor


class ImageOptions(Common, frozen=True):
    """Options of the commands that read records."""

    release: ReleaseName = ""
    image: ImageNames = ()
    digest: DigestText = ""
    take_from: TakeFrom = ()


def read_standings(opts: ImageOptions, ctx: Context) -> list[ImageStatus]:
    """Return the status of the images that the options name. Raises UsageError for one digest of several."""
    handover.read(opts.take_from, ctx)
    open_latest(ctx, named=opts.release, digest=opts.digest)
    digests = ctx.digests(opts)
    found = [read_status(image, digests.of(image.name), ctx) for image in ctx.images(opts.image)]
    for each in found:
        strays.warn("records", each.image, each.strays, ctx)
    return found


def read_release(step: str, image: Image, digest: str, ctx: Context) -> Release:
    """Read the records of an image, and warn of those that do not count: the trust file may be why.

    `digest` is that of the image, empty for what was built last.
    """
    found = read(image, ctx.subject(image, digest), ctx)
    strays.warn_of_all(step, image.name, found.evidence, ctx)
    return found


def find_verifier(found: Sequence[ImageStatus]) -> str:
    """Return the SHA-256 of the verify.py that was signed with the release; empty without one."""
    files = {check.find_attachment(each.records, decisions.VERIFIER) for each in found}
    digests = {Digest(each.digest).hex if each else "" for each in files}
    return digests.pop() if len(digests) == 1 else ""


def find_images(digest: str, ctx: Context, *, release: str = "") -> list[tuple[Image, Descriptor]]:
    """Return all images of a release: by its digest, by that of one of its images, or of the one judged last.

    What no release gate has judged is found by digest, or is what was built last. Raises UsageError for one
    digest of a device with several such images.
    """
    if open_latest(ctx, named=release, digest=digest):
        return [(image, ctx.subject(image)) for image in ctx.device.image]
    digests = Digests.parse(digest, [image.name for image in ctx.device.image], option="DIGEST")
    return [(image, ctx.subject(image, digests.of(image.name))) for image in ctx.device.image]
