"""Seal the records of an image: name them all, so that none can vanish or be exchanged unseen."""

from __future__ import annotations

from collections.abc import Sequence

from autoclave.context import Context
from autoclave.device.schema import Image
from autoclave.errors import RecordError, TimestampError
from autoclave.evidence import records, seal, trust_export
from autoclave.evidence.records import Record
from autoclave.evidence.seal import Chain, Seal, SealedRecord
from autoclave.evidence.statement import SEAL
from autoclave.evidence.timestamps import http as timestamp_http
from autoclave.evidence.timestamps import rfc3161, seals
from autoclave.model.digest import digest_of
from autoclave.model.plan import StepPlan
from autoclave.model.verdict import Verdict
from autoclave.runtime.options import Signing
from autoclave.signers import Signer
from autoclave.store.base import Store
from autoclave.store.oci import Descriptor, encode, parse_manifest

STEP = "seal"


def apply(
    descriptor: Descriptor, image: Image, ctx: Context, signer: Signer | None = None, *, stamp: bool = True
) -> Descriptor:
    """Attach a seal over everything that is attached to the image by now, and return its descriptor.

    It is time-stamped when an authority is named. With `stamp`, an authority that fails is an error, and so
    is none where the policy demands one; else it is a warning. Raises TimestampError; RecordError when
    something is gone that was sealed before: a new seal must not cover that up.
    """
    good, bad = records.read_all(ctx.store, descriptor.digest, ctx.trust)
    signatures = seal.read_signatures(ctx.store, descriptor.digest)
    chain = seal.check(good, bad, signatures)
    refuse_broken(chain)
    facts = Seal(
        records=tuple(_complete(each, ctx.store) for each in chain.unsealed),
        signatures=signatures,
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
        descriptor,
        SEAL,
        seal.predicate(info, facts),
        signer=signer,
        stamped=lambda envelope: _stamp(envelope, ctx, must=stamp),
    )


def is_sealed(good: Sequence[Record], record: Record, ctx: Context) -> bool:
    """Tell whether a seal among verified records binds a record, time-stamped where the policy demands it."""
    if not ctx.policy.release.timestamp:
        return bool(seal.find_covering(seal.seals_of(good), record.digest))
    stamped = seals.verify_stamps(ctx.store, ctx.shell, good, ctx.trust.authorities, ctx.now())
    return not seals.explain_missing(good, stamped, record)


def refuse_broken(chain: Chain) -> None:
    """Raise RecordError when the seals miss something."""
    if chain.problems:
        raise RecordError(
            "what was sealed is not all there",
            why="\n".join(chain.problems),
            next="restore the store from where it was archived; find out who could change it",
        )


def _stamp(envelope: bytes, ctx: Context, *, must: bool) -> list[tuple[str, Descriptor]]:
    """Return the time stamp over the seal's envelope, to be attached with it."""
    url = ctx.options.tsa if isinstance(ctx.options, Signing) else ""
    if not url and must and ctx.policy.release.timestamp:
        raise TimestampError(
            "the policy demands a time stamp, and no authority is named",
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


def _complete(sealed: SealedRecord, store: Store) -> SealedRecord:
    """Return the entry with its envelope's digest, also for what does not verify."""
    if sealed.envelope:
        return sealed
    layers = parse_manifest(store.read(sealed.manifest), sealed.manifest).layers
    return SealedRecord(sealed.name, sealed.manifest, layers[0].digest if layers else "")
