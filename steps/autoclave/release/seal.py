"""Seal the records of an image: name them all, so that none can be removed or replaced unnoticed."""

from __future__ import annotations

from autoclave.context import Context
from autoclave.device.schema import Image
from autoclave.errors import RecordError, TimestampError
from autoclave.evidence import cosign, seal, trust_export
from autoclave.evidence.image_records import ImageRecords
from autoclave.evidence.records import RawRecord, Record
from autoclave.evidence.seal import Chain, Seal
from autoclave.evidence.statement import SEAL
from autoclave.evidence.timestamps import http as timestamp_http
from autoclave.evidence.timestamps import rfc3161, seals
from autoclave.model.digest import digest_of
from autoclave.model.plan import StepPlan
from autoclave.model.verdict import Verdict
from autoclave.release.candidate import verify_stamps
from autoclave.release.verification import Release
from autoclave.runtime.options import Signing
from autoclave.signers import Signer
from autoclave.store.oci import Descriptor, encode

STEP = "seal"


def apply(
    attached: ImageRecords, image: Image, ctx: Context, signer: Signer | None = None, *, stamp: bool = True
) -> RawRecord:
    """Attach a seal over all good records and signatures that were read or attached by now, and return it.

    It is time-stamped when an authority is named. With `stamp`, an authority that fails is an error, and so
    is a missing one where the policy requires it; else it is a warning. Raises TimestampError; RecordError
    when a record is missing that was sealed before: a new seal must not cover that up.

    Two steps that seal at once may name the same previous seal; the next seal then names the one that it does
    not follow, as it does any record.
    """
    attached = attached.of(ctx.device.device.name, image.name)
    chain = seal.check(attached)
    refuse_broken(chain)
    signed = cosign.find_signatures(ctx.store, attached.signatures, ctx.trust.for_role("release"))
    facts = Seal(
        records=chain.unsealed,
        signatures=seal.signatures_of([layer for layer, _ in signed]),
        previous=chain.newest,
        policy=ctx.policy_digest,
        trust=trust_export.digest(ctx.trust),
    )
    now = ctx.now()
    plan = StepPlan(
        step=STEP, image=image.name, commands=(), tools={}, inputs={"seal": digest_of(encode(facts))}
    )
    info = ctx.info(plan, Verdict(STEP), now, now)
    return ctx.attach(
        attached.image,
        SEAL,
        seal.predicate(info, facts),
        signer=signer,
        stamped=lambda envelope: _stamp(envelope, ctx, must=stamp),
    )


def is_sealed(release: Release, record: Record, ctx: Context) -> bool:
    """Return whether a seal of the release binds a record, time-stamped where the policy requires it."""
    if not ctx.policy.release.timestamp:
        return bool(seal.find_covering(seal.seals_of(release.records), record.digest))
    return not seals.explain_missing(release.records, verify_stamps(release, ctx), record)


def refuse_broken(chain: Chain) -> None:
    """Raise RecordError when the seals miss something."""
    if chain.problems:
        raise RecordError(
            "a sealed record is missing or was replaced",
            why="\n".join(chain.problems),
            next="restore the store from its archive, and find out who could change it",
        )


def _stamp(envelope: bytes, ctx: Context, *, must: bool) -> list[tuple[str, Descriptor]]:
    """Return the time stamp over the seal's envelope, to be attached with it."""
    url = ctx.options.tsa if isinstance(ctx.options, Signing) else ""
    if not url and must and ctx.policy.release.timestamp:
        raise TimestampError(
            "the policy demands a time stamp, but no authority is named",
            why="release.timestamp is true",
            next="name the authority's URL with --tsa, its root certificate as [[tsa]] in the trust file",
        )
    if not url:
        return []
    try:
        token = rfc3161.request(
            ctx.shell,
            envelope,
            ctx.trust.authorities,
            ctx.now(),
            lambda query: timestamp_http.post(url, query),
        )
    except TimestampError as error:
        if must:
            raise
        ctx.screen.warn(STEP, f"not time-stamped: {error.what}: {error.why}")
        return []
    return [(rfc3161.TITLE, ctx.store.write([token], media_type=rfc3161.MEDIA_TYPE))]
