"""Scan an image and record every finding about it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from msgspec import Raw, Struct
from msgspec.structs import replace

from autoclave import inventory
from autoclave.context import REPORTS, Context
from autoclave.device.schema import Image
from autoclave.errors import RecordError, ScannerError
from autoclave.evidence import predicates, records, sbom, statement
from autoclave.evidence.records import Record
from autoclave.evidence.statement import SBOM, VULNS
from autoclave.gates import gaps, waivers
from autoclave.gates import scan as gate
from autoclave.inventory import Inventory
from autoclave.model.digest import Digest
from autoclave.model.facts import ScanFacts
from autoclave.model.plan import StepPlan
from autoclave.release import decisions
from autoclave.runtime.options import SourceOptions
from autoclave.scanners import reports
from autoclave.scanners.base import Report, ReportKind, Scan, Scanner
from autoclave.scanners.options import ScannerOptions, create
from autoclave.store.oci import Descriptor

STEP = "scan"

_CHUNK = 1 << 20


class Options(SourceOptions, frozen=True):
    """Options of `autoclave scan`."""

    scanners: ScannerOptions = ScannerOptions()


def run(opts: Options, ctx: Context) -> list[Descriptor]:
    """Scan every chosen image with every chosen scanner; return the digests that were scanned."""
    found: list[tuple[str, ScanFacts]] = []
    return [_scan(image, opts, ctx, found) for image in ctx.images(opts.image)]


def create_scanners(options: ScannerOptions, ctx: Context) -> tuple[Scanner, ...]:
    """Return the chosen scanners."""
    return create(options, ctx.policy.scan.scanners, ctx.shell)


def make_plans(opts: Options, ctx: Context) -> list[StepPlan]:
    """Return what the step would run, for each image and scanner."""
    scanners = create_scanners(opts.scanners, ctx)
    return [_plan(image, scanner) for image in ctx.images(opts.image) for scanner in scanners]


def _plan(image: Image, scanner: Scanner) -> StepPlan:
    versions = scanner.versions()
    return StepPlan(
        step=STEP,
        image=image.name,
        commands=(scanner.command,),
        tools={scanner.name: versions.version},
        inputs={
            "database": versions.database.digest,
            **{f"{each.name} database": each.digest for each in versions.indexes},
        },
    )


def _scan(image: Image, opts: Options, ctx: Context, found: list[tuple[str, ScanFacts]]) -> Descriptor:
    """Scan one image, and add its facts to those of the images that this run has scanned before."""
    descriptor = ctx.subject(image, ctx.digests(opts).of(image.name))
    scanners = create_scanners(opts.scanners, ctx)
    subject: _Subject | None = None
    earlier = [] if opts.again else records.read_all(ctx.store, descriptor.digest, ctx.trust)[0]
    scans: list[ScanFacts] = []
    scanned = False
    for scanner in scanners:
        planned = _plan(image, scanner)
        facts = _find_valid(earlier, planned, descriptor, ctx)
        if facts:
            what = f"{image.name}: {Digest(descriptor.digest).short} was scanned with this database"
            ctx.screen.skip(STEP, what + (f" of {scanner.name}" if len(scanners) > 1 else ""))
        else:
            subject = subject or _Subject(
                descriptor, inventory.read(ctx.store, descriptor.digest), tuple(scanners)
            )
            facts, scanned = _scan_with(scanner, planned, subject, ctx), True
        scans.append(facts)
    found += [(image.name, facts) for facts in scans]
    _write_host_report(found, ctx)
    if scanned:
        judged = _judge_waivers(scans, descriptor, ctx)
        _report_waivers(judged, ctx)
        verdict = gate.judge_all(scans, ctx.policy, ctx.now(), judged)
        ctx.require(verdict, repeat=f"autoclave scan --image {image.name} --again -v")
    return descriptor


class _Subject(Struct, frozen=True):
    """An image that is scanned, what its layers say, and the scanners that scan it."""

    descriptor: Descriptor
    inventory: Inventory
    scanners: tuple[Scanner, ...]


def _scan_with(scanner: Scanner, planned: StepPlan, subject: _Subject, ctx: Context) -> ScanFacts:
    """Scan an image with one scanner, and attach what it found with its verdict; close no gate."""
    descriptor, scanners = subject.descriptor, subject.scanners
    image, by = planned.image, f" by {scanner.name}" if len(scanners) > 1 else ""
    ctx.screen.begin(STEP, f"{image} {Digest(descriptor.digest).short}{by}")
    with tempfile.TemporaryDirectory(prefix="autoclave-scan-") as folder:
        scan = scanner.scan(ctx.store.locate(descriptor.digest), Path(folder))
        bom = _read_back(scan, scanner, descriptor.digest)
        # The files of the first scanner are the image's; those of others have folders of their own.
        place = image if scanner is scanners[0] else f"{image}/{scanner.name}"
        kept = [_keep(report, place, ctx) for report in scan.reports]
    facts = gaps.complete(_add_contents(scan.facts, subject.inventory))
    _warn_if_partial(facts, ctx)
    verdict = gate.judge(facts, ctx.policy, ctx.now(), _judge_waivers([facts], descriptor, ctx))
    info = ctx.info(planned, verdict, facts.started, facts.finished)
    if bom is not None:
        ctx.attach(descriptor, SBOM, bom)
    ctx.attach(descriptor, VULNS, predicates.vulns(info, facts), attachments=kept)
    what = f"{image}: {facts.packages} packages, {len(facts.findings)} findings{by}"
    ctx.screen.verdict(verdict, (facts.finished - facts.started).total_seconds(), what)
    return facts


def _add_contents(facts: ScanFacts, read: Inventory) -> ScanFacts:
    """Return what a scanner found with what the layers say, and each secret with its file's digest."""
    findings = tuple(read.identify(each) for each in facts.findings)
    return replace(facts, findings=findings, contents=read.contents)


def _read_back(scan: Scan, scanner: Scanner, digest: str) -> bytes | None:
    """Read all that a scanner returned as the release gate will; return the SBOM. Raises ScannerError."""
    reports.check(scanner.name, scan.reports)
    bom = next((each.path.read_bytes() for each in scan.reports if each.kind is ReportKind.SBOM), None)
    try:
        record = statement.parse(statement.make(digest, VULNS, {"facts": scan.facts}))
        facts = predicates.facts_of(record, ScanFacts)
        if bom is not None:
            record = statement.parse(statement.make(digest, SBOM, Raw(bom)))
            statement.finish_time(record)
            sbom.components(record)
            sbom.require_author(record, scanner.name)
    except (RecordError, TypeError) as error:
        why = f"{error.what}: {error.why}" if isinstance(error, RecordError) else str(error)
        raise ScannerError(
            f"scanner '{scanner.name}' returned what the release gate cannot read",
            why=why,
            next="scan again; if it happens again, this is a defect of the scanner's module",
        ) from error
    if facts.scanner != scanner.name:
        raise ScannerError(
            f"scanner '{scanner.name}' returned facts of another scanner",
            why=f"they name '{facts.scanner}'",
            next="this is a defect of the scanner's module",
        )
    return bom


def _write_host_report(found: Sequence[tuple[str, ScanFacts]], ctx: Context) -> None:
    """Write the findings of all images of this run in the host's format, when it has one."""
    if report := ctx.host.scan_report(found):
        ctx.state.write(f"{REPORTS}/{report.name}", [report.content])


def _find_valid(
    earlier: Sequence[Record], planned: StepPlan, descriptor: Descriptor, ctx: Context
) -> ScanFacts | None:
    """Return the facts of an earlier scan that is still valid: by this plan, and by today's policy."""
    record = records.find_by_inputs(earlier, VULNS, planned.digest)
    if record is None:
        return None
    facts = predicates.facts_of(record.statement, ScanFacts)
    passed = gate.judge(facts, ctx.policy, ctx.now(), _judge_waivers([facts], descriptor, ctx)).passed
    return facts if passed else None


def _judge_waivers(
    scans: Sequence[ScanFacts], descriptor: Descriptor, ctx: Context
) -> tuple[waivers.JudgedWaiver, ...]:
    """Judge the checkout's waivers by what was found."""
    return waivers.judge(
        decisions.read_decisions(ctx),
        [finding for facts in scans for finding in facts.findings],
        device=ctx.device.device.name,
        digest=descriptor.digest,
        policy=ctx.policy.waivers,
        now=ctx.now(),
    )


def _report_waivers(judged: tuple[waivers.JudgedWaiver, ...], ctx: Context) -> None:
    """Report every waiver: a waived finding is never hidden, nor is a waiver that does nothing."""
    for each in judged:
        waiver = each.signed.waiver
        if each.state is waivers.WaiverState.USED:
            until = f"{waiver.expires:%Y-%m-%d} ({waiver.status})"
            ctx.screen.note(STEP, f"waived: {waiver.finding} by {waiver.id} until {until}")
        else:
            why = each.why or "no finding matches it"
            ctx.screen.warn(STEP, f"waiver {waiver.id} ({waiver.finding}) is {each.state}: {why}")
    for line in waivers.list_expiring(judged):
        ctx.screen.warn(STEP, line)


def _keep(report: Report, place: str, ctx: Context) -> tuple[str, Descriptor]:
    """Keep a report in the store, and as a file for the host; return its name and descriptor."""
    name = reports.FILES[report.kind]
    with report.path.open("rb") as file:
        kept = ctx.store.write(iter(lambda: file.read(_CHUNK), b""), media_type=report.media_type)
    ctx.write_report(place, name, ctx.store.chunks(kept.digest))
    return name, kept


def _warn_if_partial(facts: ScanFacts, ctx: Context) -> None:
    if gate.is_partial(facts.database, ctx.policy.production):
        ctx.screen.warn(
            STEP,
            f"PARTIAL ADVISORY DATABASE ({gate.explain_partial(facts.database)}): it lists only a few "
            "advisories, so a clean scan means little; production refuses it",
        )


if __name__ == "__main__":
    from autoclave.cli.main import main

    sys.exit(main(["scan", *sys.argv[1:]]))
