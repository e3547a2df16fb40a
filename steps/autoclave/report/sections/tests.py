"""Requirements and tests: the matrix both ways, and the test record (IEC 62304 9.8)."""

from __future__ import annotations

import shlex

from autoclave.gates import traceability, unit_test
from autoclave.gates.traceability import Matrix
from autoclave.model.facts import ArbitraryUserRun, TestRun
from autoclave.report.inputs import Inputs, info_of, signers_of
from autoclave.report.rows import RequirementRow, TestLink, TestRow
from autoclave.report.schema import CaseRow, Requirements, ServiceRow, TestRecord
from autoclave.report.sections.provenance import attachments


def requirements(known: Inputs) -> Requirements:
    """Return the matrix of the declared requirements and the tests that ran on the release's digests."""
    evidence = known.evidence
    matrix = traceability.matrix(evidence.declared, evidence.runs or {known.image: evidence.unit_test})
    return Requirements(
        declared=evidence.declared.requirements is not None,
        requirements=_requirements(matrix),
        tests=tuple(
            TestRow(
                name=each.name,
                image=each.image,
                outcome=each.outcome,
                requirements=each.requirements,
                unknown=each.unknown,
                kind=each.kind,
                technique=each.technique,
            )
            for each in matrix.tests
        ),
        unlinked=matrix.unlinked,
        unlinked_names=matrix.unlinked_names,
    )


def record(known: Inputs) -> TestRecord | None:
    """Return the test record, or None when no record of a run verifies."""
    run, record = known.evidence.unit_test, known.newest("test-result")
    if run is None:
        return None
    made = info_of(record)
    return TestRecord(
        result="FAILED" if unit_test.judge(run, known.policy).reasons else "PASSED",
        version=made.device_version if made else known.version,
        digest=known.evidence.digest,
        image_id=run.image_id,
        released_layers=run.released_layers,
        command=shlex.join(run.command),
        stage=run.stage,
        tools=(("Autoclave", made.autoclave_version if made else ""), ("engine", run.engine)),
        engine=run.engine,
        kernel=run.kernel,
        user=run.user,
        limits=run.limits,
        services=tuple(
            ServiceRow(
                name=each.name,
                image=each.image,
                digest=each.digest,
                seconds=each.seconds,
                failure=each.failure,
            )
            for each in run.services
        ),
        started=run.started,
        finished=run.finished,
        run_by=signers_of(record),
        passed=run.report.passed,
        failed=run.report.failed,
        errors=run.report.errors,
        skipped=run.report.skipped,
        flaky=run.report.flaky,
        anomalies=_anomalies(run),
        defect=run.report.defect,
        arbitrary_user=_arbitrary_user(run.arbitrary_user),
        reports=run.reports,
        attachments=attachments(record) if record else (),
    )


def _requirements(matrix: Matrix) -> tuple[RequirementRow, ...]:
    return tuple(
        RequirementRow(
            id=each.requirement.id,
            text=each.requirement.text,
            kind=str(each.requirement.kind),
            state=str(each.state),
            method=str(each.requirement.method),
            hazard=each.requirement.hazard,
            evidence=each.requirement.evidence,
            source=each.requirement.source,
            tests=tuple(
                TestLink(image=test.image, name=test.name, outcome=test.outcome) for test in each.tests
            ),
        )
        for each in matrix.requirements
    )


def _anomalies(run: TestRun) -> tuple[CaseRow, ...]:
    found = [CaseRow(name=each.name, outcome=each.outcome, message=each.message) for each in run.report.cases]
    found += [
        CaseRow(name=name, outcome="flaky", message="passed only on a repetition")
        for name in run.report.flaky
    ]
    if run.timed_out:
        found.append(CaseRow(name="the run", outcome="error", message="it did not finish in time"))
    if run.oom_killed:
        found.append(CaseRow(name="the run", outcome="error", message="it used more memory than its limit"))
    return tuple(found)


def _arbitrary_user(run: ArbitraryUserRun | None) -> str:
    if run is None:
        return ""
    return f"as {run.user}: {run.failure or 'it works'}"
