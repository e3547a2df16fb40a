"""The status of the device's images: the newest verified verdict of every step, read from the store."""

from __future__ import annotations

from collections.abc import Sequence

from autoclave.context import Context
from autoclave.device.schema import Image
from autoclave.evidence import predicates, records
from autoclave.evidence.records import Record
from autoclave.evidence.statement import PROVENANCE, info
from autoclave.model import steps
from autoclave.model.facts import BuildFacts
from autoclave.model.status import Gate, GateStatus, Row
from autoclave.release.verification import read

_RECORD_OF = {each.name: each.predicate_type for each in steps.STEPS}
_STEP_OF = {name: each.name for each in steps.STEPS for name, _ in each.records}


class ImageStatus(Row, frozen=True, kw_only=True):
    """One image, its gates, the good records behind them, oldest first, and the stray ones."""

    records: tuple[Record, ...] = ()
    strays: tuple[tuple[str, str], ...] = ()

    @property
    def commit(self) -> str:
        """The commit that the image was built from, as its newest provenance says; empty if it does not."""
        record = records.latest(self.records, PROVENANCE)
        return predicates.facts_of(record.statement, BuildFacts).commit if record else ""


def read_status(image: Image, digest: str, ctx: Context) -> ImageStatus:
    """Return the status of an image: by digest, else the one built last; no gates while it is not built."""
    if not digest and ctx.store.find(image.name) is None:
        return ImageStatus(image=image.name, digest="", gates=())
    subject = ctx.subject(image, digest)
    found = read(image, subject, ctx)
    return ImageStatus(
        image=image.name,
        digest=subject.digest,
        gates=gates(found.records, found.evidence.rejected),
        records=found.records,
        strays=found.evidence.strays,
    )


def gates(good: Sequence[Record], rejected: Sequence[tuple[str, str]]) -> tuple[Gate, ...]:
    """Return the gates of good records and (name, reason) of those that do not verify.

    A step with a record that does not verify is `rejected`, whatever its good ones say; `sign` answers
    for those of no known type, since its gate is the one that refuses them.
    """
    found = []
    for step, kind in _RECORD_OF.items():
        refused = [f"{name} record: {why}" for name, why in rejected if _STEP_OF.get(name, "sign") == step]
        recorded = [info(each.statement) for each in records.latest_of_each(good, kind).values()]
        if refused:
            found.append(Gate(step=step, state=GateStatus.REJECTED, reasons=tuple(refused)))
        elif recorded:
            state = GateStatus.PASSED if all(each.passed for each in recorded) else GateStatus.CLOSED
            reasons = tuple(reason for each in recorded for reason in each.reasons)
            found.append(Gate(step=step, state=state, reasons=reasons))
        else:
            found.append(Gate(step=step, state=GateStatus.NONE))
    return tuple(found)
