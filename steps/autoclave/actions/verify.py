"""Judge an image anew: what does not verify, and the verdicts of the policy of the day and of today's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from msgspec import Struct, structs

from autoclave import release
from autoclave.context import Context
from autoclave.device.schema import Image
from autoclave.errors import AutoclaveError, RecordError, ReleaseGateClosed, TimestampError, TodayClosed
from autoclave.evidence.records import Record
from autoclave.evidence.timestamps.seals import SealStamp
from autoclave.gates import release as gate
from autoclave.model.verdict import Verdict
from autoclave.release import Release, strays
from autoclave.release.candidate import explain_unstamped, verify_stamps
from autoclave.release.decisions import policy_of_day
from autoclave.release.verification import verify_signature
from autoclave.store.oci import Descriptor

_NEXT = {
    "seal": "restore the store from its archive, and find out who could change it",
    "verification": "'autoclave sign' makes a new one; find out what happened to this one",
}


class Audit(Struct, frozen=True, kw_only=True):
    """What was found: problems by kind of error, gravest first, and both judgements of the release gate.

    `day` is None when the release did not take its policy along. `warnings` change no exit code.
    """

    image: str
    digest: str
    records: tuple[Record, ...]
    result: str
    problems: tuple[AutoclaveError, ...]
    day: Verdict | None
    today: Verdict
    stamps: tuple[SealStamp, ...]
    warnings: tuple[str, ...]


def audit(images: Sequence[tuple[Image, Descriptor]], ctx: Context, *, warn_days: int) -> Iterator[Audit]:
    """Verify images with everything attached to them. Raises StoreError when the store is damaged."""
    for _, descriptor in images:
        ctx.store.locate(descriptor.digest)
    releases = [release.read(image, descriptor, ctx) for image, descriptor in images]
    for each, runs in zip(releases, release.read_runs(releases, ctx), strict=True):
        evidence = structs.replace(each.evidence, runs=runs)
        yield _audit(structs.replace(each, evidence=evidence), ctx, warn_days)


def _audit(found: Release, ctx: Context, warn_days: int) -> Audit:
    summary, evidence = found.summary, found.evidence
    stamps = verify_stamps(found, ctx)
    policy = policy_of_day(summary, ctx)
    at = summary.finished if summary else ctx.now()
    day = gate.judge(evidence, policy, at) if policy else None
    today = gate.judge(evidence, ctx.policy, at)
    problems = [
        *_record_problems(found),
        *_signature_problems(found, ctx),
        *_stamp_problems(found, stamps, ctx),
        *_gate_problems(found.result, day, today),
    ]
    return Audit(
        image=found.image.name,
        digest=found.digest,
        records=found.records,
        result=found.result,
        problems=tuple(problems),
        day=day,
        today=today,
        stamps=stamps,
        warnings=(*strays.describe(evidence.strays), *_warn_before_end(stamps, ctx, warn_days)),
    )


def _record_problems(found: Release) -> list[AutoclaveError]:
    return [
        RecordError(
            f"the {name} record does not verify"
            if name != "seal"
            else "a sealed record is missing or was replaced",
            why=why,
            next=_NEXT.get(name, "repeat the step that makes it, or name the trust file that lists its key"),
        )
        for name, why in found.evidence.rejected
    ]


def _signature_problems(found: Release, ctx: Context) -> list[AutoclaveError]:
    if found.result != "PASSED":
        return []
    try:
        verify_signature(found, ctx)
    except RecordError as error:
        return [error]
    return []


def _stamp_problems(found: Release, stamps: Sequence[SealStamp], ctx: Context) -> list[AutoclaveError]:
    known = bool(ctx.trust.authorities)
    problems: list[AutoclaveError] = [
        TimestampError(
            f"the time stamp of seal {each.seal} is not valid",
            why=each.why,
            next="name the authority's root in the trust file, or restore the seal from an archive",
        )
        for each in stamps
        if not each.stamp and (known or not each.lapsed)
    ]
    if why := explain_unstamped(found, stamps, ctx):
        again = "autoclave seal --tsa URL"
        problems.append(TimestampError("the release is not time-stamped", why=why, next=f"stamp it: {again}"))
    return problems


def _gate_problems(result: str, day: Verdict | None, today: Verdict) -> list[AutoclaveError]:
    judged = day or today
    if not judged.passed or result != "PASSED":
        policy = "the policy of the day" if day else "today's policy"
        why = "\n".join(judged.reasons) or f"its verification record is {result or 'missing'}"
        return [
            ReleaseGateClosed(
                f"the release gate is closed by {policy}", why=why, next="fix it and run 'autoclave sign'"
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


def _warn_before_end(stamps: Sequence[SealStamp], ctx: Context, days: int) -> list[str]:
    """Warn when the newest good stamp's certificates end soon: then it must be stamped again."""
    newest = next((each.stamp for each in reversed(stamps) if each.stamp), None)
    if newest is None or newest.ends - ctx.now() > timedelta(days=days):
        return []
    return [
        f"a certificate of the time-stamping authority {newest.authority} ends on {newest.ends:%Y-%m-%d}: "
        "stamp again before ('autoclave seal --tsa URL')"
    ]
