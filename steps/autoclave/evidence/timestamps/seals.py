"""The time stamps of the seals of an image, each judged as of the one after it.

A certificate ends, an algorithm grows weak: what was stamped again before that stays proven. So the newest
stamp must be valid today, and each older one at the time that the next good one proves.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from autoclave.errors import TimestampError
from autoclave.evidence import seal
from autoclave.evidence.records import TITLE, Record
from autoclave.evidence.statement import SEAL
from autoclave.evidence.timestamps import rfc3161
from autoclave.evidence.timestamps.rfc3161 import Stamp
from autoclave.evidence.trust import Authority
from autoclave.runtime.shell import Shell
from autoclave.store.base import Store

_LARGEST = 1 << 20


class SealStamp(Struct, frozen=True, kw_only=True):
    """A seal with a time stamp: the stamp when it is valid, else why not.

    `lapsed` means that the token is genuine, but was not stamped again before its certificates ended; or that
    no authority is trusted, so that nothing can be verified.
    """

    seal: str
    stamp: Stamp | None = None
    why: str = ""
    lapsed: bool = False


def verify_stamps(
    store: Store, shell: Shell, good: Sequence[Record], authorities: Sequence[Authority], now: datetime
) -> list[SealStamp]:
    """Return every time-stamped seal among verified records, oldest first."""
    found: list[SealStamp] = []
    at = now
    for record in reversed(good):
        if record.statement.predicate_type != SEAL:
            continue
        tokens = [each for each in record.attachments if each.annotations.get(TITLE) == rfc3161.TITLE]
        for each in tokens:
            token = store.read(each.digest, limit=_LARGEST)
            judged = _verify(_Token(record.digest, token, record.signed), shell, authorities, at)
            at = judged.stamp.time if judged.stamp else at
            found.append(judged)
    return found[::-1]


def explain_missing(good: Sequence[Record], stamped: Sequence[SealStamp], record: Record) -> str:
    """Return why no time stamp binds a record; empty when a good one does. Raises RecordError."""
    binding = seal.find_covering(seal.seals_of(good), record.digest)
    here = [each for each in stamped if each.seal in binding]
    if any(each.stamp for each in here):
        return ""
    if here:
        return f"no time stamp of the release is valid: {here[-1].why}"
    return "no seal of the release has a time stamp, which the policy demands"


class _Token(Struct, frozen=True):
    seal: str
    raw: bytes
    data: bytes


def _verify(token: _Token, shell: Shell, authorities: Sequence[Authority], at: datetime) -> SealStamp:
    try:
        stamp = rfc3161.verify(shell, token.raw, token.data, authorities, at)
        return SealStamp(seal=token.seal, stamp=stamp)
    except TimestampError as error:
        why = f"{error.what}: {error.why}" if error.why else error.what
    if not authorities:
        return SealStamp(seal=token.seal, why=why, lapsed=True)
    try:
        # At its own time: a genuine token whose certificates have ended since is not a forgery.
        rfc3161.verify(shell, token.raw, token.data, authorities, rfc3161.read_time(shell, token.raw))
    except TimestampError:
        return SealStamp(seal=token.seal, why=why)
    return SealStamp(seal=token.seal, why=f"{why}; it was not stamped again before", lapsed=True)
