"""`autoclave vex`: what was decided about the findings of an image, as OpenVEX or CycloneDX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import click
import msgspec
from msgspec import structs

from autoclave.cli.click_options import make_command
from autoclave.cli.image_options import ImageOptions, read_release
from autoclave.context import Context
from autoclave.errors import UsageError
from autoclave.evidence import records, sbom
from autoclave.evidence.statement import SBOM
from autoclave.evidence.vex import cyclonedx_export, openvex
from autoclave.gates import waivers
from autoclave.model.declared import SignedWaiver
from autoclave.model.facts import Finding
from autoclave.model.vex import Product
from autoclave.release import Release
from autoclave.release.decisions import read_decisions
from autoclave.runtime.options import option


class Options(ImageOptions, frozen=True, kw_only=True):
    """Options of `autoclave vex`."""

    format: Annotated[str, option("openvex or cyclonedx")] = "openvex"
    repository: Annotated[
        tuple[str, ...],
        option("HOST/PATH under which others scan the image; its own is known (repeatable)"),
    ] = ()


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    if opts.format not in {"openvex", "cyclonedx"}:
        raise UsageError(f"there is no format '{opts.format}'", next="openvex or cyclonedx")
    digests, author = ctx.digests(opts), ctx.device.device.name
    for image in ctx.images(opts.image):
        found = read_release("vex", image, digests.of(image.name), ctx)
        waived = _find_waived(found, ctx)
        if opts.format == "openvex":
            product = _name(found.evidence.product, opts.repository)
            document = openvex.write(waived, product=product, author=author, now=ctx.now())
        else:
            record = records.latest(found.records, SBOM)
            serial = sbom.serial(record.statement) if record else ""
            refs = {each.purl: each.ref for each in found.evidence.components}
            document = cyclonedx_export.write(waived, serial=serial, refs=refs, author=author, now=ctx.now())
        text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
        ctx.screen.result(text, {"image": image.name, "vex": document})


def _name(product: Product, repositories: Sequence[str]) -> Product:
    """Name the image after further repositories too: a scanner calls it by the last part of its own."""
    last = [each.rstrip("/").rpartition("/")[2].partition("@")[0].partition(":")[0] for each in repositories]
    if "" in last:
        raise UsageError("a repository has no name", next="write it as HOST/PATH")
    return structs.replace(product, names=tuple(dict.fromkeys((*product.names, *map(str.lower, last)))))


def _find_waived(found: Release, ctx: Context) -> list[tuple[SignedWaiver, list[Finding]]]:
    """Return the waivers that count and their findings: those of the release, else the checkout's."""
    evidence = found.evidence
    findings = evidence.findings
    judged = waivers.judge(
        evidence.waivers if found.summary else read_decisions(ctx),
        findings,
        device=evidence.device,
        product=evidence.product,
        policy=ctx.policy.waivers,
        now=ctx.now(),
    )
    by_key = {waivers.key(each): each for each in findings}
    return [(each.signed, [by_key[name] for name in each.covers]) for each in judged if each.counts]
