"""`autoclave vex`: what was decided about the findings of an image, as OpenVEX or CycloneDX."""

from __future__ import annotations

from typing import Annotated

import click
import msgspec

from autoclave.cli.click_options import around
from autoclave.cli.image_options import Imaged, check_digest
from autoclave.context import Context
from autoclave.errors import UsageError
from autoclave.evidence import records, sbom, vex
from autoclave.evidence.statement import SBOM, VERIFICATION
from autoclave.gates import waivers
from autoclave.model.declared import SignedWaiver
from autoclave.model.facts import Finding
from autoclave.release.decisions import decisions_here
from autoclave.release.verification import Verified, evidence_of
from autoclave.runtime.options import OnImages, option


class Options(Imaged, frozen=True, kw_only=True):
    """Options of `autoclave vex`."""

    format: Annotated[str, option("openvex or cyclonedx")] = "openvex"


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return around(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    if opts.format not in {"openvex", "cyclonedx"}:
        raise UsageError(f"there is no format '{opts.format}'", next="openvex or cyclonedx")
    check_digest(opts, ctx)
    named = OnImages(image=opts.image, digest=opts.digest)
    for image in ctx.images(opts.image):
        descriptor = ctx.subject(image, named.digest_of(image.name))
        verified = evidence_of(descriptor, image, ctx)
        waived = _waived(verified, ctx)
        if opts.format == "openvex":
            device = ctx.device.device.name
            purl = f"pkg:oci/{image.name}@{descriptor.digest.replace(':', '%3A')}"
            document = vex.openvex(waived, image=purl, author=device, now=ctx.now())
        else:
            record = records.latest(verified.records, SBOM)
            serial = sbom.serial(record.statement) if record else ""
            refs = {each.purl: each.ref for each in verified.evidence.components}
            document = vex.cyclonedx(waived, serial=serial, refs=refs)
        text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
        ctx.screen.result(text, {"image": image.name, "vex": document})


def _waived(verified: Verified, ctx: Context) -> list[tuple[SignedWaiver, list[Finding]]]:
    """Return the waivers that count and their findings: those of the release, else the checkout's."""
    evidence = verified.evidence
    released = records.latest(verified.records, VERIFICATION)
    findings = evidence.scan.findings if evidence.scan else ()
    found = waivers.standings(
        evidence.waivers if released else decisions_here(ctx),
        findings,
        device=evidence.device,
        digest=evidence.digest,
        policy=ctx.policy.waivers,
        now=ctx.now(),
    )
    by_key = {waivers.key(each): each for each in findings}
    return [(each.signed, [by_key[name] for name in each.covers]) for each in found if each.counts]
