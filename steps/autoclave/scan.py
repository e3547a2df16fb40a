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
from autoclave.gates import gaps, vulnerabilities, waivers
from autoclave.gates import scan as gate
from autoclave.inventory import Inventory
from autoclave.model.digest import Digest
from autoclave.model.facts import ScanFacts
from autoclave.model.plan import StepPlan
from autoclave.release import decisions
from autoclave.release.products import find_product
from autoclave.runtime.folder import Folder
from autoclave.runtime.options import SourceOptions
from autoclave.scanners import catalogues, reports, sarif
from autoclave.scanners.additions import Additions
from autoclave.scanners.base import Report, ReportKind, Scan, Scanner
from autoclave.scanners.options import ScannerOptions, create
from autoclave.store.oci import Descriptor

STEP = "scan"

_CHUNK = 1 << 20
_SHOWN = 20


class Options(SourceOptions, frozen=True):
    """Options of `autoclave scan`."""

    scanners: ScannerOptions = ScannerOptions()


def run(opts: Options, ctx: Context) -> list[Descriptor]:
    """Scan every chosen image with every chosen scanner; return the digests that were scanned."""
    found: list[tuple[str, ScanFacts]] = []
    known = load_additions(ctx)
    return [_scan(image, opts, ctx, known, found) for image in ctx.images(opts.image)]


def create_scanners(options: ScannerOptions, ctx: Context) -> tuple[Scanner, ...]:
    """Return the chosen scanners."""
    return create(options, ctx.policy.scan.scanners, ctx.shell)


def make_plans(opts: Options, ctx: Context) -> list[StepPlan]:
    """Return what the step would run, for each image and scanner."""
    scanners = create_scanners(opts.scanners, ctx)
    known = load_additions(ctx)
    return [
        _plan(image, scanner, known, is_first=scanner is scanners[0])
        for image in ctx.images(opts.image)
        for scanner in scanners
    ]


def load_additions(ctx: Context) -> Additions:
    """Read the catalogues that the policy names, and the reports that the device file names."""
    folder, commit = Folder(ctx.folder), "" if ctx.source.is_worktree else ctx.source.commit
    raw = [folder.read(each.path, limit=sarif.LARGEST) for each in ctx.device.report]
    return Additions(
        catalogues=catalogues.load(ctx.policy.scan.catalogues),
        reports=tuple(
            sarif.read(content, path=each.path, tool=each.tool, block=frozenset(each.block), commit=commit)
            for each, content in zip(ctx.device.report, raw, strict=True)
        ),
        raw=tuple(raw),
    )


def _plan(image: Image, scanner: Scanner, known: Additions, *, is_first: bool) -> StepPlan:
    versions = scanner.versions()
    return StepPlan(
        step=STEP,
        image=image.name,
        commands=(scanner.command,),
        tools={scanner.name: versions.version},
        inputs={
            "database": versions.database.digest,
            **{f"{each.name} database": each.digest for each in versions.indexes},
            **known.inputs(is_first=is_first),
        },
    )


def _scan(
    image: Image, opts: Options, ctx: Context, known: Additions, found: list[tuple[str, ScanFacts]]
) -> Descriptor:
    """Scan one image, and add its facts to those of the images that this run has scanned before."""
    descriptor = ctx.subject(image, ctx.digests(opts).of(image.name))
    scanners = create_scanners(opts.scanners, ctx)
    subject: _Subject | None = None
    attached = records.read_all(ctx.store, descriptor.digest, ctx.trust)[0]
    earlier = [] if opts.again else attached
    scans: list[ScanFacts] = []
    scanned = False
    for scanner in scanners:
        planned = _plan(image, scanner, known, is_first=scanner is scanners[0])
        facts = _find_valid(earlier, planned, descriptor, ctx)
        if facts:
            what = f"{image.name}: {Digest(descriptor.digest).short} was scanned with this database"
            ctx.screen.skip(STEP, what + (f" of {scanner.name}" if len(scanners) > 1 else ""))
        else:
            subject = subject or _Subject(
                descriptor, inventory.read(ctx.store, descriptor.digest), tuple(scanners), known
            )
            facts, scanned = _scan_with(scanner, planned, subject, ctx), True
        scans.append(facts)
    found += [(image.name, facts) for facts in scans]
    _write_host_report(found, ctx)
    judged = _judge_waivers(scans, image.name, descriptor, ctx)
    if scanned:
        _report_waivers(judged, ctx)
        _report_differences(scans, ctx)
    # Each may pass by itself, as it was scanned before, and together they may not have looked for all.
    besides = _read_others(attached, scanners)
    verdict = gate.judge_all(scans, ctx.policy, ctx.now(), judged, besides=besides)
    ctx.require(verdict, repeat=f"autoclave scan --image {image.name} --again -v")
    return descriptor


class _Subject(Struct, frozen=True):
    """An image that is scanned, what its layers say, the scanners that scan it, and what is added."""

    descriptor: Descriptor
    inventory: Inventory
    scanners: tuple[Scanner, ...]
    additions: Additions


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
    is_first = scanner is scanners[0]
    facts = subject.additions.add(facts, is_first=is_first)
    if is_first:
        kept += _keep_imported(subject.additions, image, ctx)
    _note_ages(facts, ctx)
    _warn_if_partial(facts, ctx)
    verdict = gate.judge(facts, ctx.policy, ctx.now(), _judge_waivers([facts], image, descriptor, ctx))
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


def _read_others(attached: Sequence[Record], scanners: Sequence[Scanner]) -> list[ScanFacts]:
    """Return what scanners found that scanned the image before, and do not now: other jobs' may."""
    named = {each.name for each in scanners}
    found = [
        predicates.facts_of(each.statement, ScanFacts)
        for each in attached
        if each.statement.predicate_type == VULNS
    ]
    return [each for each in found if each.scanner not in named]


def _find_valid(
    earlier: Sequence[Record], planned: StepPlan, descriptor: Descriptor, ctx: Context
) -> ScanFacts | None:
    """Return the facts of an earlier scan that is still valid: by this plan, and by today's policy."""
    record = records.find_by_inputs(earlier, VULNS, planned.digest)
    if record is None:
        return None
    facts = predicates.facts_of(record.statement, ScanFacts)
    passed = gate.judge(
        facts, ctx.policy, ctx.now(), _judge_waivers([facts], planned.image, descriptor, ctx)
    ).passed
    return facts if passed else None


def _judge_waivers(
    scans: Sequence[ScanFacts], image: str, descriptor: Descriptor, ctx: Context
) -> tuple[waivers.JudgedWaiver, ...]:
    """Judge the checkout's waivers by what was found."""
    return waivers.judge(
        decisions.read_decisions(ctx),
        [finding for facts in scans for finding in facts.findings],
        device=ctx.device.device.name,
        product=find_product(image, descriptor.digest, ctx),
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


def _report_differences(scans: Sequence[ScanFacts], ctx: Context) -> None:
    """Report what one scanner alone found, and what will block on a later day."""
    alone = vulnerabilities.compare(scans)
    for line in alone[:_SHOWN]:
        ctx.screen.note(STEP, line)
    if len(alone) > _SHOWN:
        ctx.screen.note(STEP, f"and {len(alone) - _SHOWN} more that one scanner alone found")
    for line in vulnerabilities.list_upcoming(scans, ctx.policy.scan, ctx.now()):
        ctx.screen.warn(STEP, line)


def _note_ages(facts: ScanFacts, ctx: Context) -> None:
    """Note how old the advisories and catalogues of a scan are."""
    dated = [(f"{facts.scanner}'s database", facts.database.updated)]
    dated += [(f"the catalogue '{each.name}'", each.updated) for each in facts.catalogues]
    for what, updated in dated:
        hours = (ctx.now() - updated).total_seconds() / 3600
        ctx.screen.note(STEP, f"{what} is of {updated:%Y-%m-%d %H:%M} UTC, {hours:.0f} h old")


def _keep(report: Report, place: str, ctx: Context) -> tuple[str, Descriptor]:
    """Keep a report in the store, and as a file for the host; return its name and descriptor."""
    name = reports.FILES[report.kind]
    with report.path.open("rb") as file:
        kept = ctx.store.write(iter(lambda: file.read(_CHUNK), b""), media_type=report.media_type)
    ctx.write_report(place, name, ctx.store.chunks(kept.digest))
    return name, kept


def _keep_imported(additions: Additions, place: str, ctx: Context) -> list[tuple[str, Descriptor]]:
    """Keep the reports of other tools as a scanner's own are kept; return their names and descriptors."""
    kept = []
    for number, raw in enumerate(additions.raw, 1):
        name = f"report-{number}.sarif"
        descriptor = ctx.store.write([raw], media_type="application/sarif+json")
        ctx.write_report(place, name, [raw])
        kept.append((name, descriptor))
    return kept


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
