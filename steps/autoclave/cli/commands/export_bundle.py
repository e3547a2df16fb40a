"""`autoclave export [DIGEST] -o FILE`: one file with the images, all their records, trust and policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import click

from autoclave.bundles import check, collect, write
from autoclave.bundles.collect import VerifiedImage
from autoclave.bundles.contents import COPIES, RELEASE
from autoclave.cli.click_options import make_command
from autoclave.cli.image_options import find_images
from autoclave.console.progress import Transfer
from autoclave.context import Context
from autoclave.errors import BundleError, UsageError
from autoclave.evidence import records, trust_export
from autoclave.evidence.statement import VERIFICATION, info
from autoclave.model.digest import Digest
from autoclave.release import strays
from autoclave.runtime.options import Common, ReleaseName, option


class Options(Common, frozen=True):
    """Options of `autoclave export`."""

    digest: Annotated[
        str,
        option("the digest of an image of the release; none: the release judged last", argument=True),
    ] = ""
    release: ReleaseName = ""
    output: Annotated[str, option("the file to write", short="-o")] = ""


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    if not opts.output:
        raise UsageError("there is no file to write to", next="name it: autoclave export -o RELEASE.tar")
    found = find_images(opts.digest, ctx, release=opts.release)
    images = {image.name: descriptor.digest for image, descriptor in found}
    device = ctx.device.device.name
    means = check.Means(store=ctx.store, shell=ctx.shell, trust=ctx.trust, now=ctx.now())
    verified, stray = check.read(images, device, means, strict=False)
    for line in strays.describe([(each.name, each.why) for each in stray]):
        ctx.screen.warn("export", f"left out: {line}")
    for image in verified:
        _print(image, ctx)
    path = Path(opts.output)
    collected = collect.collect(ctx.store, verified)
    folder = ctx.folder_at(str(path.parent))
    moved = Transfer(ctx.screen, "export", path.name, sum(collected.blobs.values()))
    inputs = _bundle_inputs(verified, ctx)
    bundle = write.write(folder, path.name, ctx.store, collected, inputs, count=moved.count)
    size = path.stat().st_size
    ctx.screen.result(
        f"{path} ({size:,} bytes)", {"file": str(path), "size": size, "images": images, "seals": bundle.seals}
    )


def _bundle_inputs(images: list[VerifiedImage], ctx: Context) -> write.BundleInputs:
    """Return what the bundle contains beside the images and their records."""
    summary = records.latest(images[0].records, VERIFICATION)
    if summary is None:
        raise BundleError(
            "there is no release to export",
            why="no release gate judged it",
            next="run 'autoclave sign' first",
        )
    _refuse_other_trust(images, ctx)
    _refuse_older(images, ctx)
    made = info(summary.statement)
    return write.BundleInputs(
        device=made.device,
        version=made.device_version,
        images={each.name: each.digest for each in images},
        seals={each.name: each.chain.newest for each in images},
        trust=ctx.trust,
        copies={name: _copy(images, title, ctx) for name, title in COPIES.items()},
    )


def _copy(images: list[VerifiedImage], title: str, ctx: Context) -> bytes:
    """Return a file that was signed with the newest verification of every image."""
    found = {getattr(check.find_attachment(each.records, title), "digest", "") for each in images}
    if len(found) != 1 or "" in found:
        raise BundleError(
            f"the images were not released together: their records hold no {title}, or several",
            why=", ".join(sorted(found)),
            next="release all of them anew: autoclave sign --again",
        )
    return ctx.store.read(found.pop())


def _refuse_older(images: list[VerifiedImage], ctx: Context) -> None:
    """Raise BundleError when a release is named, and another one was judged after it."""
    newest = check.find_attachment(images[0].records, COPIES[RELEASE])
    if ctx.released and newest and newest.digest != ctx.released.digest:
        raise BundleError(
            f"the release {ctx.released.digest} is not the one judged last",
            why=f"that is {newest.digest}, and a bundle carries the newest verification of each image",
            next="export that one, or 'autoclave sign' the older one anew",
        )


def _refuse_other_trust(images: list[VerifiedImage], ctx: Context) -> None:
    """Raise BundleError when the trust file is not the one that the newest seals name."""
    today = trust_export.digest(ctx.trust)
    for each in images:
        if not each.chain.newest or each.chain.seals[each.chain.newest].trust != today:
            raise BundleError(
                f"the newest seal of '{each.name}' names another trust file than {ctx.trust.source}",
                why="a bundle brings the trust file along, and nothing that is not signed",
                next="name the trust file of the release with --trust, or run 'autoclave seal' with this one",
            )


def _print(image: VerifiedImage, ctx: Context) -> None:
    lines = [f"image {image.name} {image.digest}", *describe(image)]
    ctx.screen.result(
        "\n".join(lines),
        {
            "image": image.name,
            "digest": image.digest,
            "records": len(image.records),
            "result": image.result,
            "seal": image.chain.newest,
            "stamps": image.stamps,
        },
    )


def describe(image: VerifiedImage) -> list[str]:
    """Return the lines that describe a verified image."""
    lines = [f"  {len(image.records)} records verify; release gate: {image.result or 'not run'}"]
    lines.append(f"  newest seal {image.chain.newest or 'none'}")
    if image.chain.unsealed:
        lines.append(f"  {len(image.chain.unsealed)} record(s) are newer than the newest seal")
    for each in image.stamps:
        if each.stamp:
            lines.append(f"  time-stamped {each.stamp.time:%Y-%m-%d %H:%M:%S} UTC by {each.stamp.authority}")
        else:
            lines.append(f"  TIME STAMP NOT VALID: seal {Digest(each.seal).short}: {each.why}")
    return lines
