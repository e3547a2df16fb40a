"""What is known of a release in which nothing is wrong, for the report's tests to spoil one by one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Struct, structs
from securesystemslib.signer import CryptoSigner

from autoclave.evidence import statement
from autoclave.evidence.records import Record
from autoclave.evidence.seal import Seal
from autoclave.evidence.statement import (
    DEPLOYMENT,
    PROVENANCE,
    SBOM,
    SEAL,
    TEST_RESULT,
    VERIFICATION,
    VULNS,
)
from autoclave.evidence.trust import TrustedKey
from autoclave.model.declared import (
    Component,
    Declared,
    Person,
    Requirement,
    Scope,
    SignedWaiver,
    SoupEntry,
    VexStatus,
    Waiver,
)
from autoclave.model.facts import Deployment, Running, TestFacts, TracedTest
from autoclave.report import clauses
from autoclave.report.assemble import assemble
from autoclave.report.html import page
from autoclave.report.inputs import Inputs, RecordedDeployment
from autoclave.report.schema import Report
from autoclave.store.oci import Descriptor
from builders.sample_facts import DIGEST, EVIDENCE, NOW, POLICY, STEP_INFO, TESTS, THEN

KEY = TrustedKey(name="steps", key=CryptoSigner.generate_ecdsa().public_key, may=("build",))
ADA = Person(id="ada", name="Ada Quality", roles=("quality",))
BEN = Person(id="ben", name="Ben Engineer", roles=("engineering",))

REQUIREMENT = Requirement(id="SRS-1", text="it alarms", hazard="H-1")
ENTRY = SoupEntry(
    title="Jinja2",
    component="pkg:pypi/jinja2",
    version="1.*",
    manufacturer="Pallets",
    why="templates",
    support_end=(NOW + timedelta(days=400)).date(),
    support_level="community",
    anomalies="its issue tracker",
    reviewed_by="Ada Quality",
    reviewed_on=THEN.date(),
)
COMPONENT = Component(name="jinja2", version="1.0", purl="pkg:pypi/jinja2@1.0", ref="j", depends=("m",))
RUN = structs.replace(
    TESTS,
    report=TestFacts(
        passed=1, traced=(TracedTest(name="t::alarms[a]", outcome="passed", requirements=("SRS-1",)),)
    ),
)
DEPLOYED = Deployment(
    environment="staging",
    place="engine unix:///var/run/docker.sock",
    target="docker",
    running=(Running(image="app", digest=DIGEST, container=DIGEST, healthy=True, inputs=DIGEST),),
    started=THEN + timedelta(minutes=5),
    finished=THEN + timedelta(minutes=6),
)


class Facts(Struct, frozen=True):
    """Facts that are not read in these tests."""


def record(predicate_type: str, step: str, **changes: Any) -> Record:
    """Return a record as if it had been verified."""
    made = structs.replace(STEP_INFO, step=step, **changes)
    body: dict[str, Any] = {"autoclave": made, "facts": Facts()}
    if predicate_type == SBOM:
        body = {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "serialNumber": "urn:uuid:1",
            "metadata": {
                "timestamp": THEN,
                "tools": {"components": [{"name": "trivy", "version": "0.74.0"}]},
            },
        }
    elif predicate_type == SEAL:
        body["facts"] = Seal(records=(), signatures=(), previous="", policy=DIGEST, trust=DIGEST)
    elif predicate_type == VERIFICATION:
        body["verificationResult"] = "PASSED"
    parsed = statement.parse(statement.make(DIGEST, predicate_type, body))
    envelope = Descriptor(media_type="x", digest=DIGEST, size=1)
    return Record(
        digest="sha256:" + f"{len(step):x}" * 64,
        envelope=envelope,
        statement=parsed,
        keys=(KEY,),
        finished=made.finished_on,
    )


RECORDS = (
    record(PROVENANCE, "build"),
    record(TEST_RESULT, "unit-test"),
    record(SBOM, "scan"),
    record(VULNS, "scan"),
    record(VERIFICATION, "sign"),
    record(SEAL, "seal"),
    record(DEPLOYMENT, "deploy"),
)
GOOD = Inputs(
    device="pump",
    version="1",
    safety_class="B",
    image="app",
    evidence=structs.replace(
        EVIDENCE,
        finished=EVIDENCE.finished | {"verification": THEN, "deployment": THEN},
        unit_test=RUN,
        device="pump",
        components=(COMPONENT,),
        declared=Declared(requirements=(REQUIREMENT,), register=(ENTRY,)),
    ),
    records=RECORDS,
    summary="PASSED",
    signature="",
    policy=POLICY["B"],
    policy_digest=DIGEST,
    policy_then=None,
    trust="trust.toml",
    now=NOW,
    sources=clauses.load(),
    deployments=(RecordedDeployment(RECORDS[-1], DEPLOYED),),
)
NOTHING = structs.replace(
    GOOD,
    evidence=structs.replace(EVIDENCE, finished={}, build=None, unit_test=None, scans=(), device="pump"),
    records=(),
    summary="",
    signature="the image is not signed: nobody did",
    deployments=(),
)


def with_evidence(known: Inputs = GOOD, **evidence: Any) -> Inputs:
    """Return what is known with other evidence."""
    return structs.replace(known, evidence=structs.replace(known.evidence, **evidence))


def waiver(finding: str, **changes: Any) -> SignedWaiver:
    """Return a good waiver, signed by two persons."""
    good = Waiver(
        id="W-1",
        device="pump",
        finding=finding,
        scope=Scope(package="jinja2"),
        status=VexStatus.NOT_AFFECTED,
        rationale="no template comes from outside",
        author="ben",
        created=THEN,
        expires=NOW + timedelta(days=20),
        risk_reference="RM-7",
    )
    return SignedWaiver(waiver=structs.replace(good, **changes), digest=DIGEST, persons=(BEN, ADA))


def report(known: Inputs = GOOD, *production: str) -> Report:
    """Return the report."""
    return assemble(known, production)


def html(known: Inputs = GOOD, *production: str) -> str:
    """Return the page."""
    return b"".join(page(report(known, *production))).decode()


def json(known: Inputs = GOOD) -> Any:
    """Return the JSON output, decoded."""
    return msgspec.json.decode(msgspec.json.encode(report(known)))
