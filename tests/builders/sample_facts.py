"""Facts in which nothing is wrong, for the gates' tests to spoil one at a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from autoclave.device.schema import SafetyClass
from autoclave.evidence.statement import StepInfo
from autoclave.gates.release import REQUIRED, Evidence
from autoclave.model.declared import (
    Approval,
    Component,
    Declared,
    Meaning,
    Person,
    Requirement,
    RequirementKind,
    SignedApproval,
    SoupEntry,
)
from autoclave.model.facts import (
    BuildFacts,
    Database,
    Finding,
    Kind,
    Limits,
    Origin,
    RawReport,
    ScanFacts,
    Severity,
    TestFacts,
    TestRun,
    TracedTest,
)
from autoclave.model.inventory import Contents, Ecosystem
from autoclave.model.vex import Product
from autoclave.policy.load import read_profile

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
THEN = NOW - timedelta(hours=1)
DIGEST = "sha256:" + "1" * 64
CONFIG = "sha256:" + "2" * 64
POLICY = {each.value: read_profile(each) for each in SafetyClass}

STEP_INFO = StepInfo(
    step="build",
    autoclave_version="0",
    device="pump",
    device_version="1",
    safety_class="B",
    image="app",
    commit="1" * 40,
    tree="2" * 40,
    inputs=DIGEST,
    policy=DIGEST,
    started_on=THEN,
    finished_on=THEN,
    passed=True,
)
BUILD = BuildFacts(
    commit="1" * 40,
    tree="2" * 40,
    is_worktree=False,
    user="10001",
    uid=10001,
    secrets=(),
    image_id=CONFIG,
    config=CONFIG,
    builder="buildkit",
    engine="docker 20.10",
    materials=(),
    started=THEN,
    finished=THEN,
)
TESTS = TestRun(
    command=("pytest",),
    image_id=CONFIG,
    stage="",
    released_layers=True,
    differences=(),
    user="10001",
    engine="docker 20.10",
    kernel="6.1",
    limits=Limits(timeout=60, memory=64 << 20, cpus=1.0, pids=64, network=False),
    exit_code=0,
    timed_out=False,
    oom_killed=False,
    report=TestFacts(passed=3, traced=(TracedTest(name="t::a", outcome="passed", requirements=("R-1",)),)),
    reports=(RawReport(name="junit.xml", digest=DIGEST),),
    started=THEN,
    finished=THEN,
)
SCAN = ScanFacts(
    scanner="trivy",
    scanner_version="0.74.0",
    database=Database(updated=THEN, digest=DIGEST, size=200_000_000),
    started=THEN,
    finished=THEN,
    ecosystems=(
        Ecosystem(
            name="debian",
            version="12",
            is_system=True,
            packages=120,
            judged=True,
            source="debian 12",
            database=DIGEST,
            updated=THEN,
        ),
    ),
    findings=(),
    contents=Contents(),
)
COMPONENT = Component(name="jinja2", version="3.1.6", purl="pkg:pypi/jinja2@3.1.6", supplier="Pallets")
ENTRY = SoupEntry(
    title="Jinja2",
    component="pkg:pypi/jinja2",
    version="3.1.*",
    manufacturer="Pallets",
    why="renders the printed report",
    support_end=date(2030, 1, 1),
    anomalies="https://github.com/pallets/jinja/issues",
    reviewed_by="Ada Quality",
    reviewed_on=date(2026, 11, 1),
)
DECLARED = Declared(
    requirements=(Requirement(id="R-1", text="It answers.", kind=RequirementKind.RISK_CONTROL),),
    register=(ENTRY,),
)
ADA = Person(id="ada", name="Ada Quality", roles=("quality",))
BEN = Person(id="ben", name="Ben Engineer", roles=("engineering",))
EVIDENCE = Evidence(
    finished=dict.fromkeys(REQUIRED, THEN),
    rejected=(),
    build=BUILD,
    unit_test=TESTS,
    scans=(SCAN,),
    config=CONFIG,
    device="pump",
    product=Product(digest=DIGEST, names=("app",)),
    components=(COMPONENT,),
    declared=DECLARED,
    origins={name: Origin("1" * 40, "2" * 40) for name in (*REQUIRED, "verification") if name != "sbom"},
)


def approval(person: Person, *, meaning: Meaning = Meaning.APPROVAL, defect: str = "") -> SignedApproval:
    """Return an approval by a person, in the first of the person's roles."""
    said = Approval(
        environment="production",
        place="engine tcp://clinic:2376",
        user=person.id,
        printed_name=person.name,
        role=person.roles[0],
        meaning=meaning,
        reason="seen on the bench",
        shown=DIGEST,
        signed_at=NOW,
    )
    return SignedApproval(approval=said, record=DIGEST, person=person, defect=defect)


APPROVALS = (approval(ADA), approval(BEN))


def vulnerability(severity: Severity, *, fixed: str = "2.0", name: str = "CVE-2026-1") -> Finding:
    """Return a vulnerability of that severity."""
    return Finding(
        id=name,
        kind=Kind.VULNERABILITY,
        severity=severity,
        title="it can be escaped",
        target="app",
        package="jinja2",
        version="1.0",
        fixed=fixed,
    )
