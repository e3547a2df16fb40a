"""Everything that is known of one image when its report is written: read and verified before, judged here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from autoclave.errors import RecordError
from autoclave.evidence import records
from autoclave.evidence.records import Record
from autoclave.evidence.statement import NAME_OF, SBOM, StepInfo, info
from autoclave.evidence.timestamps.seals import SealStamp
from autoclave.gates.release import Evidence
from autoclave.model.declared import SignedApproval
from autoclave.model.facts import Deployment
from autoclave.policy.schema import Policy
from autoclave.report.clauses import Source

TYPE_OF = {name: predicate_type for predicate_type, name in NAME_OF.items()}


class Snapshot(Struct, frozen=True, kw_only=True):
    """A release, as far as it is compared with another one; `policy` maps keys to values, None: unknown."""

    evidence: Evidence
    policy: dict[str, Any] | None = None


class RecordedDeployment(Struct, frozen=True):
    """A deployment and its record."""

    record: Record
    facts: Deployment


class Inputs(Struct, frozen=True, kw_only=True):
    """What is known of one image. `signature` says why no release key signed it, if none did.

    `summary` is the result of the newest verification. `policy` is today's, `policy_then` that of the
    verification, by key, with a `policy_note` that says why it cannot be read. `timestamp` says why no time
    stamp holds that the policy demands, if none does; `stamps` are those of the seals. `previous` is the last
    release, or None with a `previous_note` that says why.
    """

    device: str
    version: str
    safety_class: str
    image: str
    evidence: Evidence
    records: tuple[Record, ...]
    summary: str
    signature: str
    policy: Policy
    policy_digest: str
    policy_then: dict[str, Any] | None
    trust: str
    now: datetime
    sources: tuple[Source, ...]
    approvals: tuple[SignedApproval, ...] = ()
    deployments: tuple[RecordedDeployment, ...] = ()
    timestamp: str = ""
    stamps: tuple[SealStamp, ...] = ()
    previous: Snapshot | None = None
    previous_note: str = ""
    policy_note: str = ""

    def newest(self, name: str) -> Record | None:
        """Return the newest good record by its short name."""
        return records.latest(self.records, TYPE_OF[name])

    def newest_of_each(self, name: str) -> tuple[Record, ...]:
        """Return the newest good record by its short name of each tool that made some."""
        return tuple(records.latest_of_each(self.records, TYPE_OF[name]).values())


def info_of(record: Record | None) -> StepInfo | None:
    """Return how a record was made; None for an SBOM, which does not say."""
    if record is None or record.statement.predicate_type == SBOM:
        return None
    return info(record.statement)


def signers_of(record: Record | None) -> tuple[str, ...]:
    """Return who signed a record: the person, or the name of the key."""
    if record is None:
        return ()
    return tuple(
        f"{key.person.name} ({key.person.id}), key {key.label}" if key.person else key.label
        for key in record.keys
    )


def decode(record: Record, kind: type[Any]) -> Any:
    """Return the predicate of a record as a type. Raises RecordError."""
    try:
        return msgspec.json.decode(record.statement.predicate, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RecordError(f"the {record.name} record is not of the expected form", why=str(error)) from error
