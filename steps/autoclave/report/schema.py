"""The release report as one tree of plain data: what `release.json` holds, with its schema version."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from autoclave.model.facts import Limits, RawReport
from autoclave.model.moment import Moment
from autoclave.report.rows import (
    AnomalyRow,
    ApprovalRow,
    AttachmentRow,
    ComponentRow,
    DeploymentRow,
    DifferenceRow,
    FieldCount,
    FindingRow,
    Gate,
    QuorumRow,
    RecordRow,
    RejectedRow,
    RequirementRow,
    SealRow,
    SeverityRow,
    SoupRow,
    SourceRows,
    Step,
    TestRow,
    WaiverRow,
)

SCHEMA_VERSION = 1
"""Increased when a field changes its meaning or is removed; new fields do not increase it."""


class Outcome(StrEnum):
    """The verdict."""

    PASSED = "PASSED"
    FAILED = "FAILED"


class Verdict(Struct, frozen=True, kw_only=True):
    """Whether the records support this release, every reason why not, and what weakens the verdict."""

    outcome: Outcome
    reasons: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class Identity(Struct, frozen=True, kw_only=True):
    """What the report is about. `config` is the digest of the image's configuration."""

    device: str
    version: str
    safety_class: str
    image: str
    digest: str
    config: str
    commit: str
    tree: str
    is_worktree: bool
    policy: str


class MaterialRow(Struct, frozen=True, kw_only=True):
    """One input of the build."""

    name: str
    uri: str
    digest: str


class Provenance(Struct, frozen=True, kw_only=True):
    """How the image was built. `slsa_level` is at most 1: the step signs inside its own job."""

    builder: str
    engine: str
    user: str
    slsa_level: int
    started: Moment
    finished: Moment
    materials: tuple[MaterialRow, ...]


class Requirements(Struct, frozen=True, kw_only=True):
    """The matrix, both ways; `declared` is false when the release record contains no requirements."""

    declared: bool
    requirements: tuple[RequirementRow, ...] = ()
    tests: tuple[TestRow, ...] = ()
    unlinked: int = 0
    unlinked_names: tuple[str, ...] = ()


class ServiceRow(Struct, frozen=True, kw_only=True):
    """A service that ran beside the tests."""

    name: str
    image: str
    digest: str
    seconds: float
    failure: str


class CaseRow(Struct, frozen=True, kw_only=True):
    """A test that failed, was skipped, or is flaky."""

    name: str
    outcome: str
    message: str


class TestRecord(Struct, frozen=True, kw_only=True):
    """The test record (IEC 62304 9.8): what was tested with what, where, when, by whom, and the result."""

    __test__ = False

    result: str
    version: str
    digest: str
    image_id: str
    released_layers: bool
    command: str
    stage: str
    tools: tuple[tuple[str, str], ...]
    engine: str
    kernel: str
    user: str
    limits: Limits
    services: tuple[ServiceRow, ...]
    started: Moment
    finished: Moment
    run_by: tuple[str, ...]
    passed: int
    failed: int
    errors: int
    skipped: int
    flaky: tuple[str, ...]
    anomalies: tuple[CaseRow, ...]
    defect: str
    arbitrary_user: str
    reports: tuple[RawReport, ...]
    attachments: tuple[AttachmentRow, ...]


class ScanRow(Struct, frozen=True, kw_only=True):
    """What one scanner examined, and with which database; `partial` is the reason when it is partial.

    `judged` is a line for each kind of package; `unowned` counts the programs that belong to none.
    `catalogues` are those about exploitation that were used, `reports` those of other tools.
    """

    scanner: str
    database_updated: Moment
    database_digest: str
    database_size: int
    partial: str
    os: str
    packages: int
    judged: tuple[str, ...] = ()
    unowned: int | None = None
    catalogues: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()


class Findings(Struct, frozen=True, kw_only=True):
    """What the scanners found, worst first, and with which databases; `alone` is what one alone found."""

    scans: tuple[ScanRow, ...]
    alone: tuple[str, ...] = ()
    severities: tuple[SeverityRow, ...]
    rows: tuple[FindingRow, ...]


class Decisions(Struct, frozen=True, kw_only=True):
    """What people decided: waivers, approvals, and which approvals production still requires."""

    waivers: tuple[WaiverRow, ...] = ()
    approvals: tuple[ApprovalRow, ...] = ()
    quorum: tuple[QuorumRow, ...] = ()


class Soup(Struct, frozen=True, kw_only=True):
    """The SOUP register against the components; `declared` is false when there is no register."""

    declared: bool
    entries: tuple[SoupRow, ...] = ()
    with_entry: int = 0
    without_entry: tuple[str, ...] = ()


class Sbom(Struct, frozen=True, kw_only=True):
    """The SBOM: its author and time, and the NTIA fields of its components."""

    present: bool
    format: str = ""
    serial: str = ""
    author: str = ""
    made: Moment | None = None
    fields: tuple[FieldCount, ...] = ()
    components: tuple[ComponentRow, ...] = ()


class Differences(Struct, frozen=True, kw_only=True):
    """What changed since the last release; `note` is the reason when nothing can be compared."""

    previous: str
    note: str = ""
    rows: tuple[DifferenceRow, ...] = ()


class Report(Struct, frozen=True, kw_only=True):
    """The release report of one image, from verified evidence alone."""

    schema_version: int
    made: Moment
    autoclave: str
    trust: str
    verdict: Verdict
    identity: Identity
    provenance: Provenance | None
    timeline: tuple[Step, ...]
    gates: tuple[Gate, ...]
    requirements: Requirements
    tests: TestRecord | None
    findings: Findings | None
    decisions: Decisions
    soup: Soup
    sbom: Sbom
    anomalies: tuple[AnomalyRow, ...]
    deployments: tuple[DeploymentRow, ...]
    records: tuple[RecordRow, ...]
    rejected: tuple[RejectedRow, ...]
    seals: tuple[SealRow, ...]
    differences: Differences
    clauses: tuple[SourceRows, ...]
