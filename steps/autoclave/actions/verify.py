"""Judge an image anew: what does not verify, and what the policy of its day and of today say of it."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from msgspec import Struct, structs

from autoclave.context import Context
from autoclave.device.schema import Image
from autoclave.errors import AutoclaveError, RecordError, ReleaseGateClosed, TimestampError, TodayClosed
from autoclave.evidence import cosign, predicates, records
from autoclave.evidence.records import TITLE, Record
from autoclave.evidence.statement import VERIFICATION
from autoclave.evidence.timestamps import seals
from autoclave.evidence.timestamps.seals import SealStamp
from autoclave.gates import release as gate
from autoclave.model.verdict import Verdict
from autoclave.policy.schema import Policy
from autoclave.release import decisions
from autoclave.release.verification import Release, read_release, runs_of
from autoclave.store.oci import Descriptor

_NEXT = {
    "seal": "restore the store from where it was archived; find out who could change it",
    "verification": "'autoclave sign' makes a new one; find out what happened to this one",
}


class Audit(Struct, frozen=True, kw_only=True):
    """What was found: problems by kind of error, gravest first, and both judgements of the release gate.

    `day` is None when the release did not take its policy along. `warnings` change no exit code.
    """

    digest: str
    records: tuple[Record, ...]
    result: str
    problems: tuple[AutoclaveError, ...]
    day: Verdict | None
    today: Verdict
    stamps: tuple[SealStamp, ...]
    warnings: tuple[str, ...]


def audit(image: Image, descriptor: Descriptor, ctx: Context, *, warn_days: int) -> Audit:
    """Verify an image with everything attached to it. Raises StoreError when the store is damaged."""
    ctx.store.locate(descriptor.digest)
    verified = read_release(descriptor, image, ctx)
    evidence = structs.replace(verified.evidence, runs=runs_of(verified.evidence, image, ctx, ""))
    verified = structs.replace(verified, evidence=evidence)
    summary = records.latest(verified.records, VERIFICATION)
    stamped = seals.verify_stamps(ctx.store, ctx.shell, verified.records, ctx.trust.authorities, ctx.now())
    policy = policy_of_day(summary, ctx)
    at = summary.finished if summary else ctx.now()
    day = gate.judge(evidence, policy, at) if policy else None
    today = gate.judge(evidence, ctx.policy, at)
    result = predicates.result_of(summary.statement) if summary else ""
    problems = [
        *_record_problems(verified),
        *_signature_problems(descriptor.digest, result, ctx),
        *_stamp_problems(verified, stamped, summary, ctx),
        *_gate_problems(result, day, today),
    ]
    return Audit(
        digest=descriptor.digest,
        records=verified.records,
        result=result,
        problems=tuple(problems),
        day=day,
        today=today,
        stamps=tuple(stamped),
        warnings=tuple(_warn_before_end(stamped, ctx, warn_days)),
    )


def policy_of_day(summary: Record | None, ctx: Context) -> Policy | None:
    """Return the policy that a release took along, or None. Raises RecordError when it is none."""
    for each in summary.attachments if summary else ():
        if each.annotations.get(TITLE) == decisions.POLICY:
            try:
                return msgspec.json.decode(ctx.store.read(each.digest), type=Policy)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise RecordError("the policy that the release took along is none", why=str(error)) from error
    return None


def _record_problems(verified: Release) -> list[AutoclaveError]:
    return [
        RecordError(
            f"the {name} record does not verify" if name != "seal" else "what was sealed is not all there",
            why=why,
            next=_NEXT.get(name, "repeat the step that makes it, or name the trust file that lists its key"),
        )
        for name, why in verified.evidence.rejected
    ]


def _signature_problems(digest: str, result: str, ctx: Context) -> list[AutoclaveError]:
    if result != "PASSED":
        return []
    try:
        cosign.verify_signature(ctx.store, digest, ctx.trust.for_role("release"))
    except RecordError as error:
        return [error]
    return []


def _stamp_problems(
    verified: Release, stamped: list[SealStamp], summary: Record | None, ctx: Context
) -> list[AutoclaveError]:
    known = bool(ctx.trust.authorities)
    found: list[AutoclaveError] = [
        TimestampError(
            f"the time stamp of seal {each.seal} does not hold",
            why=each.why,
            next="name the authority's root in the trust file, or restore the seal from an archive",
        )
        for each in stamped
        if not each.stamp and (known or not each.lapsed)
    ]
    if (
        summary
        and ctx.policy.release.timestamp
        and (why := seals.explain_missing(verified.records, stamped, summary))
    ):
        again = "autoclave seal --tsa URL"
        found.append(TimestampError("the release is not time-stamped", why=why, next=f"stamp it: {again}"))
    return found


def _gate_problems(result: str, day: Verdict | None, today: Verdict) -> list[AutoclaveError]:
    judged = day or today
    if not judged.passed or result != "PASSED":
        told = "the policy of the day" if day else "today's policy"
        why = "\n".join(judged.reasons) or f"its verification record is {result or 'missing'}"
        return [
            ReleaseGateClosed(
                f"the release gate is closed by {told}", why=why, next="mend it and run 'autoclave sign'"
            )
        ]
    if not today.passed:
        return [
            TodayClosed(
                "only today's policy closes the release gate",
                why="\n".join(today.reasons),
                next="what runs was released properly; release anew before you deploy it again",
            )
        ]
    return []


def _warn_before_end(stamped: list[SealStamp], ctx: Context, days: int) -> list[str]:
    """Warn when the newest good stamp's certificates end soon: then it must be stamped again."""
    newest = next((each.stamp for each in reversed(stamped) if each.stamp), None)
    if newest is None or newest.ends - ctx.now() > timedelta(days=days):
        return []
    return [
        f"a certificate of the time-stamping authority {newest.authority} ends on {newest.ends:%Y-%m-%d}: "
        "stamp again before ('autoclave seal --tsa URL')"
    ]
