"""`autoclave export [DIGEST] -o FILE`: one file with the images, all their records, trust and policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import click
import msgspec

from autoclave.bundles import check, collect, write
from autoclave.bundles.check import VerifiedImage
from autoclave.cli.click_options import make_command
from autoclave.cli.image_options import find_images
from autoclave.context import Context
from autoclave.device.schema import FILE
from autoclave.errors import BundleError, UsageError
from autoclave.evidence import records
from autoclave.evidence.statement import VERIFICATION, info
from autoclave.model.digest import Digest
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
    verified = check.read(ctx.store, ctx.shell, images, ctx.trust, ctx.now())
    for image in verified:
        _print(image, ctx)
    path = Path(opts.output)
    collected = collect.collect(ctx.store, images)
    bundle = write.write(path, ctx.store, collected, _bundle_inputs(verified, ctx))
    size = path.stat().st_size
    ctx.screen.result(
        f"{path} ({size:,} bytes)", {"file": str(path), "size": size, "images": images, "seals": bundle.seals}
    )


def _bundle_inputs(images: list[VerifiedImage], ctx: Context) -> write.BundleInputs:
    """Return what the bundle contains; policy and device file are the release's where its record has them."""
    first = images[0].records
    summary = records.latest(first, VERIFICATION)
    if summary is None:
        raise BundleError(
            "there is no release to export",
            why="no release gate judged it",
            next="run 'autoclave sign' first",
        )
    made = info(summary.statement)
    held = [check.read_attachment(ctx.store, first, title) for title in (check.POLICY_TITLE, FILE)]
    today = msgspec.json.format(msgspec.json.encode(ctx.policy, order="sorted"), indent=2)
    return write.BundleInputs(
        device=made.device,
        version=made.device_version,
        images={each.name: each.digest for each in images},
        seals={each.name: each.chain.newest for each in images},
        trust=ctx.trust,
        policy=today if held[0] is None else held[0],
        device_file=ctx.source.read(FILE) if held[1] is None else held[1],
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
