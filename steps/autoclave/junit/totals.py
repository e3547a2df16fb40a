"""What is counted and kept of the tests of a JUnit report, within limits."""

from __future__ import annotations

from autoclave.model.facts import RequirementCount, TestCase, TestFacts, TracedTest

_MOST_KEPT = 100_000
_MOST_TRACED = 20_000  # passed tests that are listed with their requirements
_UNLINKED_SHOWN = 100
_MOST_TOOLS = 20
_WORST = ("error", "failed", "skipped")


class Defect(Exception):
    """Why a report cannot be used. Never leaves `junit.read`."""


class Case:
    """One test while it is being read."""

    __slots__ = ("flaky", "kind", "may_fail", "message", "name", "outcome", "requirements", "technique")

    def __init__(self, name: str) -> None:
        self.name = name
        self.outcome = ""
        self.message = ""
        self.flaky = False
        self.may_fail = False  # what follows is a failure that the test's author allowed
        self.requirements: dict[str, None] = {}  # an ordered set
        self.kind = ""
        self.technique = ""

    def worsen(self, outcome: str, message: str) -> None:
        """Take an outcome when it is worse than what is known."""
        if not self.outcome or _WORST.index(outcome) < _WORST.index(self.outcome):
            self.outcome, self.message = outcome, message
        elif outcome == self.outcome:
            self.message = self.message or message

    def to_test_case(self) -> TestCase:
        """Return what is kept of a test that did not pass."""
        return TestCase(
            name=self.name,
            outcome=self.outcome,
            message=self.message,
            requirements=tuple(self.requirements),
        )

    def to_traced_test(self) -> TracedTest:
        """Return the test with its requirements."""
        outcome = self.outcome or ("flaky" if self.flaky else "passed")
        return TracedTest(
            name=self.name,
            outcome=outcome,
            requirements=tuple(self.requirements),
            kind=self.kind,
            technique=self.technique,
        )


class Sums:
    """What is counted and kept of the tests that were read."""

    def __init__(self) -> None:
        self._passed = 0
        self._listed: dict[int, Case] = {}  # in file order: not passed, flaky, or with requirements
        self._requirements: dict[str, list[int]] = {}
        self._traced_passed = 0
        self._more = 0
        self._unlinked = 0
        self._unlinked_names: list[str] = []
        self._unnamed_skips = 0
        self._hidden_retries: dict[str, str] = {}

    def add(self, case: Case, *, is_test: bool) -> None:
        """Count one test, or an error outside of any; keep it when there is something to report about it."""
        simply = not case.outcome and not case.flaky
        self._passed += not case.outcome
        new = self._sum(case, 1)
        if is_test and not case.requirements:
            self._unlinked += 1
            if len(self._unlinked_names) < _UNLINKED_SHOWN:
                self._unlinked_names.append(case.name)
        if not simply:
            self._listed[id(case)] = case
        elif case.requirements and (new or self._traced_passed < _MOST_TRACED):
            self._traced_passed += 1
            self._listed[id(case)] = case
        elif case.requirements:
            self._more += 1  # others that passed are listed for all that it names
        if max(len(self._listed) - self._traced_passed, len(self._requirements)) > _MOST_KEPT:
            raise Defect(f"more than {_MOST_KEPT} tests that did not pass, or requirement ids")

    def forget(self, case: Case) -> None:
        """Take back an attempt that a later one replaces."""
        listed = self._listed.pop(id(case), None)
        if not case.outcome:
            self._passed -= 1
            self._traced_passed -= bool(listed and not case.flaky)
            self._more -= bool(case.requirements and not listed)
        self._sum(case, -1)
        if not case.requirements:
            self._unlinked -= 1
            if case.name in self._unlinked_names:
                self._unlinked_names.remove(case.name)

    def add_unnamed_skips(self, number: int) -> None:
        """Count skipped tests that only a total shows."""
        self._unnamed_skips += number

    def hide_retries(self, tools: dict[str, str]) -> None:
        """Note tools by which a test that was repeated looks like any other."""
        for tool, how in tools.items():
            if len(self._hidden_retries) < _MOST_TOOLS:
                self._hidden_retries.setdefault(tool, how)

    def facts(self) -> TestFacts:
        """Return the sums."""
        listed = list(self._listed.values())
        outcomes = [case.outcome for case in listed]
        return TestFacts(
            passed=self._passed,
            failed=outcomes.count("failed"),
            errors=outcomes.count("error"),
            skipped=outcomes.count("skipped") + self._unnamed_skips,
            cases=tuple(case.to_test_case() for case in listed if case.outcome),
            requirements={key: RequirementCount(*sums) for key, sums in self._requirements.items()},
            traced=tuple(case.to_traced_test() for case in listed if case.requirements),
            traced_more=self._more,
            unlinked=self._unlinked,
            unlinked_names=tuple(self._unlinked_names),
            flaky=tuple(case.name for case in listed if case.flaky and not case.outcome),
            hidden_retries=self._hidden_retries,
        )

    def _sum(self, case: Case, by: int) -> bool:
        """Add a test to its requirements' sums; return whether it is the first that passed for one."""
        at = {"": 0, "skipped": 2}.get(case.outcome, 1)
        first = False
        for key in case.requirements:
            sums = self._requirements.setdefault(key, [0, 0, 0])
            first = first or (at == 0 and sums[0] == 0)
            sums[at] += by
        return first
