"""Scan an image and record every finding about it."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated

from autoclave import scanners
from autoclave.context import Context, replace_file, write_report
from autoclave.device.schema import Image
from autoclave.evidence import predicates
from autoclave.evidence.statement import SBOM, VULNS
from autoclave.gates import scan as gate
from autoclave.gates import waivers
from autoclave.hosts.gitlab import container_scanning
from autoclave.model.digest import Digest
from autoclave.model.facts import ScanFacts
from autoclave.model.plan import StepPlan
from autoclave.release import decisions
from autoclave.runtime.options import Signing, StepOptions, option
from autoclave.scanners.base import Scanner, Versions
from autoclave.store.oci import Descriptor

STEP = "scan"

_CHUNK = 1 << 20
_FOR_GITLAB = "gl-container-scanning.json"
_REPORTS = {
    "trivy.json": "application/json",
    "trivy.sarif": "application/sarif+json",
    "sbom.cdx.json": "application/vnd.cyclonedx+json",
}


ScannerName = Annotated[str, option("the scanner")]
TrivyCommand = Annotated[str, option("the Trivy command")]
TrivyCache = Annotated[str, option("Trivy's cache folder, with its database; none: Trivy's own")]


class ScannerOptions(Signing, frozen=True):
    """Options of the scanner, for commands that do not work on single images."""

    scanner: ScannerName = "trivy"
    trivy: TrivyCommand = "trivy"
    trivy_cache: TrivyCache = ""


class Options(StepOptions, frozen=True):
    """Options of `autoclave scan`."""

    scanner: ScannerName = "trivy"
    trivy: TrivyCommand = "trivy"
    trivy_cache: TrivyCache = ""


def run(opts: Options, ctx: Context) -> list[Descriptor]:
    """Scan every chosen image; return the digests that were scanned."""
    reports: list[bytes] = []
    return [_scan(image, opts, ctx, reports) for image in ctx.images(opts.image)]


def create_scanner(opts: ScannerOptions | Options) -> Scanner:
    """Return the chosen scanner."""
    return scanners.create(opts.scanner, program=opts.trivy, cache=cache_folder(opts))


def cache_folder(opts: ScannerOptions | Options) -> Path:
    """Return the folder with the scanner's database."""
    if opts.trivy_cache:
        return Path(opts.trivy_cache)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trivy"


def plan(image: Image, ctx: Context, versions: Versions) -> StepPlan:
    """Return what scanning an image would run, and what the findings depend on."""
    return StepPlan(
        step=STEP,
        image=image.name,
        commands=((versions.scanner, "image", "--input", "IMAGE"),),
        tools={versions.scanner: versions.version},
        inputs={"database": versions.database.digest},
    )


def _scan(image: Image, opts: Options, ctx: Context, reports: list[bytes]) -> Descriptor:
    """Scan one image; `reports` are GitLab's of the images before, in this run, and takes this one's."""
    descriptor = ctx.subject(image, ctx.digests(opts).of(image.name))
    scanner = create_scanner(opts)
    planned = plan(image, ctx, scanner.version(ctx.shell))
    held = None if opts.again else _find_valid(descriptor, planned, ctx)
    if held:
        _report_to_gitlab(held, image, ctx, reports)
        ctx.screen.skip(
            STEP, f"{image.name}: {Digest(descriptor.digest).short} was scanned with this database"
        )
        return descriptor
    ctx.screen.begin(STEP, f"{image.name} {Digest(descriptor.digest).short}")
    with tempfile.TemporaryDirectory(prefix="autoclave-scan-") as folder:
        facts, raw = scanner.scan(ctx.shell, ctx.store.locate(descriptor.digest), Path(folder))
        _warn_if_partial(facts, ctx)
        sbom = scanner.sbom(ctx.shell, raw, Path(folder))
        kept = [_keep(path, image, ctx) for path in (raw, sbom, scanner.sarif(ctx.shell, raw, Path(folder)))]
        bom = sbom.read_bytes()
    _report_to_gitlab(facts, image, ctx, reports)
    waived = _match_waivers(facts, descriptor, ctx)
    verdict = gate.judge(facts, ctx.policy, ctx.now(), waived)
    info = ctx.info(planned, verdict, facts.started, facts.finished)
    ctx.attach(descriptor, SBOM, bom)
    ctx.attach(descriptor, VULNS, predicates.vulns(info, facts), attachments=kept)
    _report_waivers(waived, ctx)
    what = f"{image.name}: {facts.packages} packages, {len(facts.findings)} findings"
    ctx.screen.verdict(verdict, (facts.finished - facts.started).total_seconds(), what)
    ctx.require(verdict, repeat=f"autoclave scan --image {image.name} --again -v")
    return descriptor


def _report_to_gitlab(facts: ScanFacts, image: Image, ctx: Context, reports: list[bytes]) -> None:
    """Write the image's report, and one of all images of this run: GitLab takes one file from a job."""
    report = container_scanning.render(facts, image=image.name)
    reports.append(report)
    write_report(ctx.state_folder, image.name, _FOR_GITLAB, [report])
    replace_file(ctx.state_folder / "reports", _FOR_GITLAB, [container_scanning.merge(reports)])


def _find_valid(descriptor: Descriptor, planned: StepPlan, ctx: Context) -> ScanFacts | None:
    """Return the facts of a scan that still holds: by this plan, and judged anew by today's policy."""
    record = ctx.record(descriptor, VULNS, planned)
    if record is None:
        return None
    facts = predicates.facts_of(record.statement, ScanFacts)
    passed = gate.judge(facts, ctx.policy, ctx.now(), _match_waivers(facts, descriptor, ctx)).passed
    return facts if passed else None


def _match_waivers(
    facts: ScanFacts, descriptor: Descriptor, ctx: Context
) -> tuple[waivers.JudgedWaiver, ...]:
    """Return how the checkout's waivers stand for what was found."""
    return waivers.judge(
        decisions.read_decisions(ctx),
        facts.findings,
        device=ctx.device.device.name,
        digest=descriptor.digest,
        policy=ctx.policy.waivers,
        now=ctx.now(),
    )


def _report_waivers(standings: tuple[waivers.JudgedWaiver, ...], ctx: Context) -> None:
    """Tell of every waiver: a waived finding is never hidden, nor is a waiver that does nothing."""
    for each in standings:
        waiver = each.signed.waiver
        if each.state is waivers.WaiverState.USED:
            told = (
                f"waived: {waiver.finding} by {waiver.id} until {waiver.expires:%Y-%m-%d} ({waiver.status})"
            )
            ctx.screen.note(STEP, told)
        else:
            why = each.why or "nothing was found that it speaks of"
            ctx.screen.warn(STEP, f"waiver {waiver.id} ({waiver.finding}) is {each.state}: {why}")
    for line in waivers.list_expiring(standings):
        ctx.screen.warn(STEP, line)


def _keep(path: Path, image: Image, ctx: Context) -> tuple[str, Descriptor]:
    """Keep a report in the store, and beside it as a file for the host."""
    with path.open("rb") as file:
        kept = ctx.store.write(iter(lambda: file.read(_CHUNK), b""), media_type=_REPORTS[path.name])
    write_report(ctx.state_folder, image.name, path.name, ctx.store.chunks(kept.digest))
    return path.name, kept


def _warn_if_partial(facts: ScanFacts, ctx: Context) -> None:
    size, least = facts.database.size, ctx.policy.production.min_database_bytes
    if size < least:
        ctx.screen.warn(
            STEP,
            f"PARTIAL ADVISORY DATABASE ({size:,} bytes): it knows only a few advisories, so a clean scan "
            "means little; production refuses it",
        )


if __name__ == "__main__":
    from autoclave.cli.main import main

    sys.exit(main(["scan", *sys.argv[1:]]))
