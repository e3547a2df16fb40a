"""The rows of the release report: plain data, as they are in the JSON output."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from msgspec import Struct

from autoclave.model.facts import Kind, Severity
from autoclave.model.moment import Moment


class Step(Struct, frozen=True, kw_only=True):
    """One step as recorded; `record` is the record's digest."""

    name: str
    record: str
    passed: bool
    started: Moment
    finished: Moment
    detail: str = ""


class GateState(StrEnum):
    """The state of a gate."""

    PASSED = "passed"
    CLOSED = "closed"
    NONE = "no record"


class Gate(Struct, frozen=True, kw_only=True):
    """One gate: its recorded verdict, and its verdict on the same facts under today's policy."""

    name: str
    recorded: GateState
    reasons: tuple[str, ...] = ()
    record: str = ""
    at: Moment | None = None
    today: GateState = GateState.NONE
    today_reasons: tuple[str, ...] = ()


class TestLink(Struct, frozen=True, kw_only=True):
    """A test that names a requirement, on one image."""

    __test__ = False

    image: str
    name: str
    outcome: str


class RequirementRow(Struct, frozen=True, kw_only=True):
    """One requirement, its state on this image, and the tests that name it."""

    id: str
    text: str
    kind: str
    state: str
    method: str
    hazard: str = ""
    evidence: str = ""
    source: str = ""
    tests: tuple[TestLink, ...] = ()


class TestRow(Struct, frozen=True, kw_only=True):
    """One test that names requirements; `unknown` are the ids that nothing declares.

    `kind` is the kind of test and `technique` how it was derived, empty where the tests' report does not say.
    """

    __test__ = False

    name: str
    image: str
    outcome: str
    requirements: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    kind: str = ""
    technique: str = ""


class Disposition(StrEnum):
    """What was done about a finding."""

    BLOCKS = "blocks"
    WAIVED = "waived"
    BELOW = "below the policy"


class FindingRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One finding; `explanation` is why it has the disposition, `waiver` names the waiver that covers it."""

    severity: Severity
    kind: Kind
    id: str
    title: str
    where: str
    disposition: Disposition
    explanation: str
    package: str = ""
    version: str = ""
    purl: str = ""
    fixed: str = ""
    cvss: float | None = None
    aliases: tuple[str, ...] = ()
    waiver: str = ""
    vectors: tuple[str, ...] = ()
    cwes: tuple[str, ...] = ()
    found_by: str = ""


class SeverityRow(Struct, frozen=True, kw_only=True):
    """How many findings of a severity block, are waived, and are below the policy."""

    severity: Severity
    blocks: int = 0
    waived: int = 0
    below: int = 0

    @property
    def total(self) -> int:
        """All findings of the severity."""
        return self.blocks + self.waived + self.below


class WaiverRow(Struct, frozen=True, kw_only=True):
    """One waiver as text for people: its state, and in `why` the reason when it does not count."""

    id: str
    finding: str
    status: str
    justification: str
    scope: str
    rationale: str
    risk_reference: str
    author: str
    signed_by: tuple[str, ...]
    supplier: str
    created: Moment
    expires: Moment
    state: str
    expiring: bool
    why: str
    covers: int
    digest: str


class ApprovalRow(Struct, frozen=True, kw_only=True):
    """One approval as text for people (21 CFR 11.50); `defect` is the reason when it does not count."""

    environment: str
    printed_name: str
    user: str
    role: str
    meaning: str
    reason: str
    signed_at: Moment
    shown: str
    record: str
    defect: str = ""


class QuorumRow(Struct, frozen=True, kw_only=True):
    """How many persons of a role an environment requires, and who approved."""

    environment: str
    role: str
    needed: int
    persons: tuple[str, ...]


class SoupRow(Struct, frozen=True, kw_only=True):
    """One entry of the SOUP register: how many `components` it covers, and its `defect`, if any."""

    title: str
    manufacturer: str
    component: str
    version: str
    why: str
    support_end: date | None
    support_level: str
    anomalies: str
    reviewed_by: str
    reviewed_on: date | None
    components: int
    defect: str = ""


class ComponentRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One component with its NTIA fields: `register` is its SOUP entry's title, `missing` what it lacks."""

    name: str
    version: str
    supplier: str = ""
    purl: str = ""
    license: str = ""
    depends: int = 0
    related: bool = False
    register: str = ""
    support_end: date | None = None
    support_level: str = ""
    missing: tuple[str, ...] = ()


class FieldCount(Struct, frozen=True, kw_only=True):
    """How many components have one of the NTIA minimum elements."""

    field: str
    have: int
    of: int


class AnomalyRow(Struct, frozen=True, kw_only=True):
    """One unresolved anomaly of this release, and why it is accepted or still open."""

    kind: str
    what: str
    count: int
    why: str


class DeploymentRow(Struct, frozen=True, kw_only=True):
    """One deployment or rollback as recorded; `put_back` is the digest that was restored after a failure."""

    environment: str
    target: str
    started: Moment
    finished: Moment
    healthy: bool
    failure: str
    rollback: str
    replaced: str
    put_back: str
    record: str
    signed_by: tuple[str, ...]


class AttachmentRow(Struct, frozen=True, kw_only=True):
    """A file attached to a record."""

    title: str
    digest: str


class RecordRow(Struct, frozen=True, kw_only=True):
    """One record that verifies: its digest, who signed it and when it was made."""

    name: str
    digest: str
    at: Moment
    signed_by: tuple[str, ...]
    development: bool
    newest: bool
    attachments: tuple[AttachmentRow, ...] = ()


class SealRow(Struct, frozen=True, kw_only=True):
    """One seal: how many records it names, and its time stamp, or `why` it has no valid one."""

    digest: str
    at: Moment
    records: int
    previous: str
    authority: str = ""
    stamped: Moment | None = None
    ends: Moment | None = None
    why: str = ""


class RejectedRow(Struct, frozen=True, kw_only=True):
    """Something attached as a record that does not verify; whether it closes the gates, or does not count."""

    name: str
    why: str
    closes: bool


class Change(StrEnum):
    """The kind of a difference to the last release."""

    ADDED = "added"
    GONE = "gone"
    CHANGED = "changed"


class DifferenceRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One difference to the last release."""

    area: str
    change: Change
    what: str
    before: str = ""
    after: str = ""


class ClauseRow(Struct, frozen=True, kw_only=True):
    """One clause and its evidence in this release; `asked`: whether it applies to the device's class."""

    number: str
    title: str
    classes: str
    asked: bool
    cover: str
    records: tuple[str, ...]
    gate: str
    present: bool
    shows: str
    cannot: str
    verified: bool


class SourceRows(Struct, frozen=True, kw_only=True):
    """The clauses of one source, with their counts."""

    id: str
    title: str
    edition: str
    read: str
    version: int
    covered: int
    partly: int
    not_covered: int
    clauses: tuple[ClauseRow, ...]
