"""The unit-test gate: the exit code and the JUnit report must agree that the tests passed."""

from __future__ import annotations

from autoclave.model.facts import TestFacts, TestRun
from autoclave.model.verdict import Verdict
from autoclave.policy.schema import Policy

_SHOWN = 5  # failed tests that a reason names


def judge(run: TestRun, policy: Policy) -> Verdict:
    """Judge one test run (IEC 62304 5.5.5). Each defect has a reason of its own."""
    reasons = [*_image(run), *(_services(run) or [*_tests(run, policy), *_arbitrary_user(run, policy)])]
    return Verdict("unit-test", tuple(reasons))


def _services(run: TestRun) -> list[str]:
    """Return which services failed; then the tests say nothing about the image."""
    return [f"service '{each.name}' {each.failure}" for each in run.services if each.failure]


def _tests(run: TestRun, policy: Policy) -> list[str]:
    return _end_reasons(run) or _results(run, policy)


def _arbitrary_user(run: TestRun, policy: Policy) -> list[str]:
    """Judge the run under an unknown user, as OpenShift's `restricted-v2` constraint gives it to an image."""
    if not policy.unit_test.arbitrary_user:
        return []
    if run.arbitrary_user is None:
        return ["the image was not run under an arbitrary user, which the policy demands"]
    ran = run.arbitrary_user
    return [f"under the arbitrary user {ran.user} the image {ran.failure}"] if ran.failure else []


def _image(run: TestRun) -> list[str]:
    if not run.released_layers:
        return [
            f"the tests ran in stage '{run.stage}', whose layers do not begin with those of the image under "
            "test: it is another image; let the stage start FROM the released stage"
        ]
    if not run.differences:
        return []
    more = f" and {len(run.differences) - _SHOWN} more" if len(run.differences) > _SHOWN else ""
    return [
        f"the tests ran in stage '{run.stage}', which changes the image under test: "
        f"{'; '.join(run.differences[:_SHOWN])}{more}; a stage of tests may only add to it"
    ]


def _end_reasons(run: TestRun) -> list[str]:
    """Return why the run did not come to its own end; its report then counts for nothing."""
    if run.oom_killed:
        return [f"the tests were killed for memory (limit {run.limits.memory // (1 << 20)} MiB)"]
    if run.timed_out:
        return [f"the tests did not end within {run.limits.timeout} s and were killed"]
    return []


def _results(run: TestRun, policy: Policy) -> list[str]:
    report = run.report
    if report.defect:
        reasons = [report.defect]
        if run.exit_code != 0:
            reasons.append(f"the test command ended with exit code {run.exit_code}")
        return reasons
    total = report.passed + report.failed + report.errors + report.skipped
    if total == 0:
        return ["no test was collected: the report is empty"]
    reasons = []
    bad = [case for case in report.cases if case.outcome in {"failed", "error"}]
    failed = max(len(bad), report.failed + report.errors)
    if failed:
        named = [f"{case.name}: {case.message}" if case.message else case.name for case in bad[:_SHOWN]]
        more = f" and {failed - len(named)} more" if failed > len(named) else ""
        details = f": {'; '.join(named)}{more}" if named else ""
        reasons.append(f"{failed} of {total} tests failed{details}")
    if run.exit_code != 0 and not failed:
        reasons.append(
            f"the report says that all tests passed, but the command ended with exit code {run.exit_code}"
        )
    if run.exit_code == 0 and failed:
        reasons.append("the command ended with exit code 0 although tests failed")
    if report.flaky and not policy.requirements.allow_flaky:
        names = "; ".join(report.flaky[:_SHOWN])
        more = f" and {len(report.flaky) - _SHOWN} more" if len(report.flaky) > _SHOWN else ""
        reasons.append(f"{len(report.flaky)} of {total} tests passed only on a repetition: {names}{more}")
    reasons += _hidden_retries(report, policy)
    if report.passed < policy.unit_test.min_passed:
        reasons.append(f"{report.passed} tests passed, the policy demands {policy.unit_test.min_passed}")
    if report.skipped > policy.unit_test.max_skipped:
        names = ", ".join(case.name for case in report.cases if case.outcome == "skipped")
        reasons.append(
            f"{report.skipped} tests were skipped, the policy allows {policy.unit_test.max_skipped}: "
            f"{names[:300] or 'the report does not name them'}"
        )
    return reasons


def _hidden_retries(report: TestFacts, policy: Policy) -> list[str]:
    """Refuse a report in which a test that passed only on a repetition would look like any other."""
    accepted = {each.lower() for each in policy.unit_test.untraced_retries}
    hidden = [
        f"{tool} ({how})"
        for tool, how in sorted(report.hidden_retries.items())
        if not accepted & {"*", tool.lower(), tool.partition(" ")[0].lower()}
    ]
    if not hidden:
        return []
    return [
        f"a test that passed only on a repetition would not show in the report of {'; '.join(hidden)}: "
        "the organisation accepts a tool with unit-test.untraced-retries"
    ]
