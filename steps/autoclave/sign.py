"""The release gate: read every record back, verify it, judge, and only then sign the image."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
from msgspec import Struct, structs

from autoclave.context import Context
from autoclave.device.schema import Image
from autoclave.errors import RecordError
from autoclave.evidence import cosign, predicates, records
from autoclave.evidence.statement import VERIFICATION
from autoclave.gates import release as gate
from autoclave.model.digest import Digest, digest_of
from autoclave.model.plan import StepPlan
from autoclave.model.verdict import Verdict
from autoclave.release import decisions as declaring
from autoclave.release import seal
from autoclave.release.verification import Release, read_release
from autoclave.runtime.options import StepOptions, option
from autoclave.signers import Signer, development
from autoclave.store.oci import Descriptor

STEP = "sign"


class ReleaseKey(Struct, frozen=True, kw_only=True):
    """Options of the key that signs releases."""

    release_key: Annotated[str, option("URI of the release key; none: the development release key")] = ""
    release_public_key: Annotated[str, option("PEM file of the release key's public half")] = ""


class Options(StepOptions, frozen=True):
    """Options of `autoclave sign`."""

    release: ReleaseKey = ReleaseKey()


class _Judgement(Struct, frozen=True):
    image: Image
    descriptor: Descriptor
    verified: Release
    verdict: Verdict


def run(opts: Options, ctx: Context) -> list[Descriptor]:
    """Judge every image of the device, and sign all of them or none."""
    signer = ctx.open_signer(opts.release.release_key, opts.release.release_public_key, development.RELEASE)
    # Whatever image was named: a device is released whole or not at all.
    judged = _judge(opts, ctx)
    closed = [each for each in judged if not each.verdict.passed]
    for each in judged:
        if each in closed or not _is_signed(each, ctx) or opts.again:
            _conclude(each, signer, ctx, withheld=bool(closed))
        else:
            ctx.screen.skip(
                STEP, f"{each.image.name} {Digest(each.descriptor.digest).short} is signed already"
            )
    for each in closed:
        look = f"autoclave show {each.descriptor.digest}"
        ctx.require(each.verdict, repeat=f"autoclave sign   (the records: {look})")
    return [each.descriptor for each in judged]


def plan(image: Image, ctx: Context) -> StepPlan:
    """Return what the release gate depends on beside the records: the policy."""
    return StepPlan(step=STEP, image=image.name, commands=(), tools={}, inputs={"policy": ctx.policy_digest})


def _judge(opts: Options, ctx: Context) -> list[_Judgement]:
    """Judge every image by its records, and by what the checkout declares and decides."""
    found = {}
    digests = ctx.digests(opts)
    for image in ctx.device.image:
        descriptor = ctx.subject(image, digests.of(image.name))
        found[image.name] = descriptor, read_release(descriptor, image, ctx)
    runs = {name: verified.evidence.unit_test for name, (_, verified) in found.items()}
    together = {name: descriptor.digest for name, (descriptor, _) in found.items()}
    decisions = declaring.read_decisions(ctx)
    judged = []
    for image in ctx.device.image:
        descriptor, verified = found[image.name]
        declared = declaring.read_declared(image, together, ctx)
        evidence = structs.replace(
            verified.evidence, declared=declared, waivers=decisions, runs=runs, unjudged=False
        )
        verdict = gate.judge(evidence, ctx.policy, ctx.now())
        judged.append(_Judgement(image, descriptor, structs.replace(verified, evidence=evidence), verdict))
    return judged


def _conclude(judged: _Judgement, signer: Signer, ctx: Context, *, withheld: bool) -> None:
    """Attach the verdict; sign the image when the whole device passed."""
    ctx.screen.begin(STEP, f"{judged.image.name} {Digest(judged.descriptor.digest).short}")
    started = ctx.now()
    _attach_verdict(judged, signer, ctx)
    if judged.verdict.passed and not withheld:
        digest = judged.descriptor.digest
        reference = f"{ctx.device.device.name}/{judged.image.name}"
        cosign.sign_image(ctx.store, digest, reference, signer)
        ctx.store.tag(declaring.release_name(judged.image), judged.descriptor)
        cosign.add_attestations(ctx.store, digest, read_release(judged.descriptor, judged.image, ctx).records)
    elif judged.verdict.passed:
        ctx.screen.note(STEP, f"{judged.image.name} passes, but is not signed: the device is released whole")
    if "seal" not in dict(judged.verified.evidence.rejected):  # else it would cover up what is gone
        seal.apply(judged.descriptor, judged.image, ctx, signer, stamp=judged.verdict.passed)
    seconds = (ctx.now() - started).total_seconds()
    ctx.screen.verdict(judged.verdict, seconds, f"{judged.image.name} {judged.descriptor.digest}")


def _attach_verdict(judged: _Judgement, signer: Signer, ctx: Context) -> None:
    planned = _inputs(judged, ctx)
    now = ctx.now()
    info = ctx.info(planned, judged.verdict, now, now)
    predicate = predicates.verification(
        info,
        resource=f"urn:autoclave:image:{ctx.device.device.name}/{judged.image.name}"
        f"@{ctx.device.device.version}",
        policy_digest=ctx.policy_digest,
        inputs=[
            (each.name, each.digest)
            for each in judged.verified.records
            if each.statement.predicate_type != VERIFICATION
        ],
        declared=judged.verified.evidence.declared,
    )
    ctx.attach(
        judged.descriptor,
        VERIFICATION,
        predicate,
        signer=signer,
        attachments=declaring.write_attachments(ctx),
    )


def _inputs(judged: _Judgement, ctx: Context) -> StepPlan:
    """Return the plan of this judgement: the policy, and exactly these records."""
    names = [each.digest for each in judged.verified.records if each.name in gate.REQUIRED]
    planned = plan(judged.image, ctx)
    evidence = judged.verified.evidence
    declared = structs.replace(evidence.declared, previous="")  # signing moves it
    judged_by = msgspec.json.encode((declared, [each.digest for each in evidence.waivers]), order="sorted")
    inputs = {"records": digest_of("\n".join(names).encode()), "declared": digest_of(judged_by)}
    return structs.replace(planned, inputs={**planned.inputs, **inputs})


def _is_signed(judged: _Judgement, ctx: Context) -> bool:
    """Tell whether the image is signed, and its newest summary says PASSED for exactly these records."""
    planned = _inputs(judged, ctx)
    summary = records.find_by_inputs(judged.verified.records, VERIFICATION, planned.digest)
    if summary is None or predicates.result_of(summary.statement) != "PASSED":
        return False
    if not seal.is_sealed(judged.verified.records, summary, ctx):
        return False
    try:
        return bool(
            cosign.verify_signature(ctx.store, judged.descriptor.digest, ctx.trust.for_role("release"))
        )
    except RecordError:
        return False


if __name__ == "__main__":
    from autoclave.cli.main import main

    sys.exit(main(["sign", *sys.argv[1:]]))
