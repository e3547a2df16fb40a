"""The release gate: read and verify every record, judge, and only then sign the image."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Struct, structs

from autoclave import release, targets
from autoclave.context import Context
from autoclave.device.schema import Image
from autoclave.evidence import cosign, predicates, records
from autoclave.evidence.records import RawRecord
from autoclave.evidence.statement import VERIFICATION
from autoclave.gates import release as gate
from autoclave.model import release as whole
from autoclave.model.digest import Digest, digest_of
from autoclave.model.facts import Origin
from autoclave.model.plan import StepPlan
from autoclave.model.verdict import Verdict
from autoclave.release import Release, decisions, document, seal, strays
from autoclave.release.verification import explain_unsigned
from autoclave.runtime.options import SourceOptions, option
from autoclave.signers import Signer, development, keys
from autoclave.store.oci import Descriptor

STEP = "sign"


class ReleaseKey(Struct, frozen=True, kw_only=True):
    """Options of the key that signs releases."""

    release_key: Annotated[str, option("URI of the release key; none: the development release key")] = ""
    release_public_key: Annotated[str, option("PEM file of the release key's public half")] = ""


class Options(SourceOptions, frozen=True):
    """Options of `autoclave sign`."""

    release_signer: ReleaseKey = ReleaseKey()


class _Judgement(Struct, frozen=True):
    release: Release
    verdict: Verdict


class _Whole(Struct, frozen=True):
    """The release as a whole: its digest, and its files by title, the document itself among them."""

    digest: str
    files: tuple[tuple[str, Descriptor], ...]


def run(opts: Options, ctx: Context) -> list[Descriptor]:
    """Judge every image of the device, and sign all of them or none."""
    given = opts.release_signer
    signer = ctx.open_signer(given.release_key, given.release_public_key, development.RELEASE)
    keys.refuse_other_than_cosigns(signer.public_key)
    # Whatever image was named: a device is released whole or not at all.
    judged = _judge(opts, ctx)
    together = _make_whole(judged, ctx)
    closed = [each for each in judged if not each.verdict.passed]
    for each in judged:
        if not each.verdict.passed or not _is_signed(each, together, ctx) or opts.again:
            _conclude(each, together, signer, ctx, withheld=bool(closed))
        else:
            image, digest = each.release.image, each.release.digest
            ctx.screen.skip(STEP, f"{image.name} {Digest(digest).short} is signed already")
    ctx.judged = together.digest
    if not closed:
        ctx.screen.note(STEP, f"release {together.digest}")
    for each in closed:
        look = f"autoclave show {each.release.digest}"
        ctx.require(each.verdict, repeat=f"autoclave sign   (the records: {look})")
    return [each.release.descriptor for each in judged]


def make_plans(opts: Options, ctx: Context) -> list[StepPlan]:
    """Return what the step would run, for each image."""
    return [plan(image, ctx) for image in ctx.images(opts.image)]


def plan(image: Image, ctx: Context) -> StepPlan:
    """Return what the release gate depends on beside the records: the policy."""
    return StepPlan(step=STEP, image=image.name, commands=(), tools={}, inputs={"policy": ctx.policy_digest})


def _judge(opts: Options, ctx: Context) -> list[_Judgement]:
    """Judge every image by its records, and by what the checkout declares and decides."""
    digests = ctx.digests(opts)
    releases = [
        release.read(image, ctx.subject(image, digests.of(image.name)), ctx) for image in ctx.device.image
    ]
    for each in releases:
        strays.warn(STEP, each.image.name, each.evidence.strays, ctx)
    runs = {each.image.name: each.evidence.unit_test for each in releases}
    together = {each.image.name: each.digest for each in releases}
    waivers = decisions.read_decisions(ctx)
    here = Origin(ctx.source.commit, ctx.source.tree)
    judged = []
    for each in releases:
        evidence = structs.replace(
            each.evidence,
            declared=decisions.read_declared(each.image, together, ctx),
            waivers=waivers,
            runs=runs,
            unjudged=False,
            origins={**each.evidence.origins, "verification": here},
        )
        verdict = gate.judge(evidence, ctx.policy, ctx.now())
        judged.append(_Judgement(structs.replace(each, evidence=evidence), verdict))
    return judged


def _make_whole(judged: Sequence[_Judgement], ctx: Context) -> _Whole:
    """Return the release that all images are part of, with what each environment needs of the source."""
    sources: dict[str, bytes] = {}
    for environment in ctx.device.environment:
        sources |= targets.create(environment, ctx).sources()
    files = decisions.write_attachments(sources, ctx)
    made = document.make([each.release for each in judged], files, ctx)
    kept = document.keep(made, files, ctx.store)
    return _Whole(kept.digest, (*files, (whole.TITLE, kept)))


def _conclude(judged: _Judgement, together: _Whole, signer: Signer, ctx: Context, *, withheld: bool) -> None:
    """Attach the verdict; sign the image when the whole device passed."""
    image, digest = judged.release.image, judged.release.digest
    ctx.screen.begin(STEP, f"{image.name} {Digest(digest).short}")
    started = ctx.now()
    concluded = release.add(judged.release, _attach_verdict(judged, together, signer, ctx), ctx)
    attached = concluded.attached
    if judged.verdict.passed and not withheld:
        reference = f"{ctx.device.device.name}/{image.name}"
        attached = attached.add_signature(cosign.sign_image(ctx.store, digest, reference, signer))
        ctx.store.tag(decisions.release_name(image), concluded.descriptor)
        cosign.add_attestations(ctx.store, digest, concluded.records)
    elif judged.verdict.passed:
        ctx.screen.note(STEP, f"{image.name} passes, but is not signed: the device is released whole")
    if "seal" not in dict(judged.release.evidence.rejected):  # else it would cover up what is missing
        seal.apply(attached, image, ctx, signer, stamp=judged.verdict.passed)
    seconds = (ctx.now() - started).total_seconds()
    ctx.screen.verdict(judged.verdict, seconds, f"{image.name} {digest}")


def _attach_verdict(judged: _Judgement, together: _Whole, signer: Signer, ctx: Context) -> RawRecord:
    planned = _inputs(judged, together, ctx)
    now = ctx.now()
    info = ctx.info(planned, judged.verdict, now, now)
    device = ctx.device.device
    predicate = predicates.verification(
        info,
        resource=f"urn:autoclave:image:{device.name}/{judged.release.image.name}@{device.version}",
        policy_digest=ctx.policy_digest,
        inputs=[
            (each.name, each.digest)
            for each in judged.release.records
            if each.statement.predicate_type != VERIFICATION
        ],
        declared=judged.release.evidence.declared,
    )
    return ctx.attach(
        judged.release.descriptor, VERIFICATION, predicate, signer=signer, attachments=list(together.files)
    )


def _inputs(judged: _Judgement, together: _Whole, ctx: Context) -> StepPlan:
    """Return the plan of this judgement: the policy, and exactly these records."""
    names = [each.digest for each in judged.release.records if each.name in gate.REQUIRED]
    planned = plan(judged.release.image, ctx)
    evidence = judged.release.evidence
    declared = structs.replace(evidence.declared, previous="")  # signing moves it
    judged_by = msgspec.json.encode((declared, [each.digest for each in evidence.waivers]), order="sorted")
    inputs = {
        "records": digest_of("\n".join(names).encode()),
        "declared": digest_of(judged_by),
        "release": together.digest,
    }
    return structs.replace(planned, inputs={**planned.inputs, **inputs})


def _is_signed(judged: _Judgement, together: _Whole, ctx: Context) -> bool:
    """Return whether the image is signed, and its newest summary says PASSED for exactly these records."""
    planned = _inputs(judged, together, ctx)
    summary = records.find_by_inputs(judged.release.records, VERIFICATION, planned.digest)
    if summary is None or predicates.result_of(summary.statement) != "PASSED":
        return False
    return seal.is_sealed(judged.release, summary, ctx) and not explain_unsigned(judged.release, ctx)


if __name__ == "__main__":
    from autoclave.cli.main import main

    sys.exit(main(["sign", *sys.argv[1:]]))
