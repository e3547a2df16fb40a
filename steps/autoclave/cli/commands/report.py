"""`autoclave report [DIGEST]`: the release report as HTML and JSON, and as a PDF on request."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import click
import msgspec

from autoclave.cli.click_options import make_command
from autoclave.context import REPORTS, Context
from autoclave.device.schema import Image
from autoclave.errors import UsageError
from autoclave.evidence import records
from autoclave.evidence.statement import SBOM, info
from autoclave.model.digest import Digest
from autoclave.release.document import open_latest
from autoclave.report import pdf
from autoclave.report.assemble import assemble
from autoclave.report.collect import production_environments, read_inputs
from autoclave.report.html import page
from autoclave.report.schema import Verdict
from autoclave.runtime.options import Common, ImageNames, ReleaseName, option
from autoclave.store.oci import Descriptor


class Options(Common, frozen=True):
    """Options of `autoclave report`."""

    digest: Annotated[
        str,
        option(
            "the image digest; none: those of the release judged last, or what was built since", argument=True
        ),
    ] = ""
    release: ReleaseName = ""
    image: ImageNames = ()
    output: Annotated[
        str, option("write to OUTPUT/IMAGE/release.{html,json,pdf}; none: .autoclave/reports", short="-o")
    ] = ""
    pdf: Annotated[bool, option("also print the page to a PDF, through headless Chromium")] = False
    chromium: Annotated[str, option("the Chromium command; none: the first one on PATH")] = ""


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    browser = pdf.browser(ctx.shell, opts.chromium) if opts.pdf else ""
    for image, descriptor in _find_images(opts, ctx):
        known = read_inputs(descriptor, image, ctx)
        report = assemble(known, production_environments(known, ctx))
        folder = (ctx.folder_at(opts.output) if opts.output else ctx.state.at(REPORTS)).at(image.name)
        made = [
            folder.write("release.json", [msgspec.json.encode(report)]),
            folder.write("release.html", page(report)),
        ]
        if browser:
            made.append(folder.write("release.pdf", [pdf.render(ctx.shell, browser, made[1])]))
        _print_result(report.verdict, image.name, descriptor.digest, made, ctx)


def _find_images(opts: Options, ctx: Context) -> list[tuple[Image, Descriptor]]:
    """Return the images to report on, each with its digest."""
    open_latest(ctx, named=opts.release, digest=opts.digest)
    if not opts.digest:
        return [(each, ctx.subject(each)) for each in ctx.images(opts.image)]
    descriptor = ctx.store.find_image(opts.digest)
    return [(_image_of(descriptor, opts, ctx), descriptor)]


def _image_of(descriptor: Descriptor, opts: Options, ctx: Context) -> Image:
    """Return the image of the device with a digest: by --image, else by its records."""
    if len(opts.image) == 1 or len(ctx.device.image) == 1:
        return ctx.images(opts.image)[0]
    good, _ = records.read_all(ctx.store, descriptor.digest, ctx.trust)
    named = {info(each.statement).image for each in good if each.statement.predicate_type != SBOM} & {
        each.name for each in ctx.device.image
    }
    if len(named) == 1:
        return ctx.device.find_image(named.pop())
    raise UsageError(
        f"the image {Digest(descriptor.digest).short} may be any image of {ctx.device.device.name}",
        why="its records do not name one of them",
        next="name it with --image",
    )


def _print_result(verdict: Verdict, image: str, digest: str, made: Iterable[Path], ctx: Context) -> None:
    outcome, files = str(verdict.outcome), [str(each) for each in made]
    lines = [f"{image} {digest}: {outcome}", *(f"  {each}" for each in (*verdict.remarks, *files))]
    ctx.screen.result(
        "\n".join(lines), {"image": image, "digest": digest, "verdict": outcome, "files": files}
    )
