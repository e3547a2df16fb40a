"""Write verdicts as JUnit, so that gates show up as test cases on CI hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from junit_xml import TestCase, TestSuite, to_xml_report_string

from autoclave.runtime.neutral import neutralise


class Verdict(Protocol):
    """The result of a gate: passed, or the reasons why not."""

    @property
    def gate(self) -> str: ...  # noqa: D102
    @property
    def passed(self) -> bool: ...  # noqa: D102
    @property
    def reasons(self) -> tuple[str, ...]: ...  # noqa: D102


def write(verdicts: Sequence[Verdict], *, suite: str = "autoclave") -> bytes:
    """Return a JUnit report (UTF-8): one test case per gate, a closed gate is a failure."""
    cases = [_case(verdict) for verdict in verdicts]
    text: str = to_xml_report_string([TestSuite(suite, cases)], prettyprint=False, encoding="utf-8")
    return text.encode()


def _case(verdict: Verdict) -> TestCase:
    case = TestCase(verdict.gate, classname="autoclave.gates")
    if not verdict.passed:
        # The library omits a failure without any text, and the gate would look passed.
        reasons = [neutralise(reason) for reason in verdict.reasons if reason] or ["closed without a reason"]
        case.add_failure_info(message=reasons[0], output="\n".join(reasons))
    return case
