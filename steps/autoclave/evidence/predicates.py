"""The predicates of our records: the standard fields, then `autoclave` (how made) and `facts` (what seen).

Sources: SLSA provenance v1 and verification_summary v1; in-toto test-result v0.1 and vulns v0.2.
Gates read `facts`; the standard fields say the same to other tools.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Struct

from autoclave.errors import RecordError
from autoclave.evidence.statement import NAME_OF, Statement, StepInfo
from autoclave.model.declared import Approval, Declared
from autoclave.model.digest import Digest
from autoclave.model.facts import BuildFacts, Deployment, Finding, Kind, ScanFacts, TestRun

F = TypeVar("F", bound=Struct)

BUILD_TYPE = "urn:autoclave:build:dockerfile:v1"
VERIFIER = "urn:autoclave:verifier"


def provenance(info: StepInfo, facts: BuildFacts, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """SLSA provenance v1: at most build level 1, since the step signs inside its own job."""
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": dict(parameters),
            "internalParameters": {"builder": facts.builder},
            "resolvedDependencies": [
                {"name": each.name}
                | ({"digest": each.digest} if each.digest else {})
                | ({"uri": each.uri} if each.uri else {})
                for each in facts.materials
            ],
        },
        "runDetails": {
            "builder": {
                "id": "urn:autoclave:builder",
                "version": {"autoclave": info.autoclave_version, "engine": facts.engine},
            },
            "metadata": {"startedOn": facts.started, "finishedOn": facts.finished},
        },
        **_ours(info, facts),
    }


def test_result(info: StepInfo, run: TestRun) -> dict[str, Any]:
    """in-toto test-result v0.1. Its spec has no field for skipped tests or counts; `facts` has them."""
    configuration = [{"name": "command and limits", "digest": {"sha256": Digest(info.inputs).hex}}]
    configuration += [
        {"name": each.name, "digest": {"sha256": Digest(each.digest).hex}} for each in run.reports
    ]
    return {
        "result": "PASSED" if info.passed else "FAILED",
        "configuration": configuration,
        "failedTests": [case.name for case in run.report.cases if case.outcome in {"failed", "error"}],
        **_ours(info, run),
    }


def vulns(info: StepInfo, facts: ScanFacts) -> dict[str, Any]:
    """in-toto vulns v0.2, with every finding; other kinds than vulnerabilities are in `facts` alone."""
    return {
        "scanner": {
            "uri": f"pkg:generic/{facts.scanner}",
            "version": facts.scanner_version,
            "db": {
                "uri": f"urn:sha256:{Digest(facts.database.digest).hex}",
                "version": facts.database.digest,
                "lastUpdate": facts.database.updated,
            },
            "result": [_result(each) for each in facts.findings if each.kind is Kind.VULNERABILITY],
        },
        "metadata": {"scanStartedOn": facts.started, "scanFinishedOn": facts.finished},
        **_ours(info, facts),
    }


def verification(
    info: StepInfo,
    *,
    resource: str,
    policy_digest: str,
    inputs: list[tuple[str, str]],
    declared: Declared,
) -> dict[str, Any]:
    """SLSA verification summary v1. `inputs` are (name, digest) of the records that were judged.

    `facts` are what the device repository declared then: requirements and SOUP register.
    """
    return {
        "verifier": {"id": VERIFIER, "version": {"autoclave": info.autoclave_version}},
        "timeVerified": info.finished_on,
        "resourceUri": resource,
        "policy": {
            "uri": f"urn:autoclave:policy:{info.safety_class}",
            "digest": {"sha256": Digest(policy_digest).hex},
        },
        "inputAttestations": [
            {"uri": f"urn:autoclave:record:{name}", "digest": {"sha256": Digest(digest).hex}}
            for name, digest in inputs
        ],
        "verificationResult": "PASSED" if info.passed else "FAILED",
        "verifiedLevels": ["AUTOCLAVE_RELEASE_GATE"] if info.passed else [],
        **_ours(info, declared),
    }


def deployment(info: StepInfo, facts: Deployment) -> dict[str, Any]:
    """Our own predicate: there is no common one for what runs where."""
    return _ours(info, facts)


def step(info: StepInfo, facts: Struct) -> dict[str, Any]:
    """Our own predicate of a step: `autoclave` and `facts`, when no common one says the same."""
    return _ours(info, facts)


def host_approvals(info: StepInfo, facts: Struct) -> dict[str, Any]:
    """What a CI host says about who approved a deployment: the host's statement, not a person's signature."""
    return _ours(info, facts)


def approval(info: StepInfo, facts: Approval, verification: str) -> dict[str, Any]:
    """What a person signed; `verification` is the digest of the record that the approval is about."""
    return {"verification": verification, **_ours(info, facts)}


def decode_approval(statement: Statement) -> tuple[Approval, str]:
    """Return an approval and the digest of the verification record that it is about. Raises RecordError."""
    carrier = _decode(statement, _Approved)
    return carrier.facts, carrier.verification


def facts_of(statement: Statement, kind: type[F]) -> F:
    """Return the facts of a record. Raises RecordError when they do not fit."""
    carrier: Any = _decode(statement, msgspec.defstruct("Carrier", [("facts", kind)]))
    return cast(F, carrier.facts)


def result_of(statement: Statement) -> str:
    """Return the result of a verification summary: PASSED or FAILED. Raises RecordError."""
    return _decode(statement, _Summary).verification_result


class _Approved(Struct):
    verification: str
    facts: Approval


class _Summary(Struct, rename="camel"):
    verification_result: str


def _decode(statement: Statement, kind: type[F]) -> F:
    try:
        return msgspec.json.decode(statement.predicate, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        name = NAME_OF.get(statement.predicate_type, "foreign")
        raise RecordError(f"the {name} record is not of the expected form", why=str(error)) from error


def _ours(info: StepInfo, facts: Struct) -> dict[str, Any]:
    return {"autoclave": info, "facts": facts}


def _result(finding: Finding) -> dict[str, Any]:
    severity = [{"method": "scanner", "score": str(finding.severity)}]
    if finding.cvss is not None:
        severity.append({"method": "cvss_score", "score": f"{finding.cvss:.1f}"})
    annotations = [{"package": finding.purl or finding.package}] if finding.package else []
    return {"id": finding.id, "severity": severity, "annotations": annotations}
