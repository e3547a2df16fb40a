"""What the elements of a JUnit report mean: tests, outcomes, requirement ids, totals.

There is no single standard. Accepted are the dialects of pytest, Surefire, Gradle, GoogleTest and
CTest: one `testsuite` or nested ones, with or without totals.

A test passed only on a repetition when it has a `flakyFailure` or `flakyError` (Surefire), when a test of its
very name failed before in the same suite (Gradle's retries), or when pytest writes it twice: the attempts
that pytest-rerunfailures repeats look passed there. The gate requires that the exit code matches.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

from autoclave.junit.totals import Case, Defect, Sums
from autoclave.model.facts import TestFacts

_DEEPEST = 64
_LONGEST_NAME = 500
_LONGEST_MESSAGE = 300
_LONGEST_REQUIREMENT = 100
_MOST_REQUIREMENTS = 1000  # of one test
_MOST_REMEMBERED = 10_000  # passed tests of one suite, the newest

_OUTCOMES = {"error": "error", "failure": "failed", "skipped": "skipped"}
_REPEATED = {"flakyFailure", "flakyError", "rerunFailure", "rerunError"}
# GoogleTest and CTest say in an attribute that a test did not run.
_NOT_RUN = {"notrun", "disabled", "skipped", "suppressed"}


class _Suite:
    """One suite while it is being read: its own totals, and what it contains."""

    __slots__ = ("_failed", "_passed", "bad", "name", "repeated", "says", "tests")

    def __init__(self, name: str, says: Mapping[str, int]) -> None:
        self.name = name
        self.says = says
        self.tests = 0
        self.bad = 0
        self.repeated = False
        self._failed: dict[str, list[Case]] = {}
        self._passed: OrderedDict[str, Case] = OrderedDict()

    def remember(self, case: Case, *, passed: bool) -> None:
        """Keep a test for a later attempt of its name."""
        if case.outcome in ("error", "failed"):
            self._failed.setdefault(case.name, []).append(case)
        elif passed and not case.outcome:
            self._passed[case.name] = case
            if len(self._passed) > _MOST_REMEMBERED:
                self._passed.popitem(last=False)

    def take_earlier(self, case: Case) -> list[Case]:
        """Return and drop the earlier attempts at a test that this attempt replaces."""
        passed = self._passed.pop(case.name, None)
        failed = [] if case.outcome else self._failed.pop(case.name, [])
        return [*failed, *([passed] if passed else [])]


class Collector(ContentHandler):
    """Receives parser events and adds them up. `events` counts them, so a reader sees progress."""

    def __init__(self, requirement_property: str, links: Callable[[str], tuple[str, ...]]) -> None:
        super().__init__()
        self.events = 0
        self._property = requirement_property
        self._links = links
        self._depth = 0
        self._suites: list[_Suite] = []
        self._case: Case | None = None
        self._outcome_depth = 0  # depth of the failure, error or skipped element we are inside of
        self._text = ""
        self._by_pytest = False
        self._sums = Sums()

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802
        """Open a suite, a test, an outcome or a property; other elements are passed over."""
        self.events += 1
        self._depth += 1
        if self._depth == 1:
            self._root(name, attrs)
        if self._depth > _DEEPEST:
            raise Defect(f"elements nested more than {_DEEPEST} deep")
        if name == "testcase":
            self._open_case(attrs)
        elif name in ("testsuite", "testsuites"):
            self._open_suite(name, attrs)
        elif name in _OUTCOMES:
            self._open_outcome(name, attrs)
        elif name in _REPEATED and self._case:
            self._suites[-1].repeated = True
            self._case.flaky = self._case.flaky or name.startswith("flaky")
        elif name == "property" and self._case and attrs.get("name") == self._property:
            self._require(self._case, attrs.get("value") or "")

    def endElement(self, name: str) -> None:  # noqa: N802
        """Close what `startElement` opened."""
        self.events += 1
        if name == "testcase":
            self._close_case()
        elif name in ("testsuite", "testsuites"):
            self._close_suite()
        elif self._depth == self._outcome_depth:
            self._close_outcome()
        self._depth -= 1

    def characters(self, content: str) -> None:
        """Keep the beginning of an outcome's text, for tests whose outcome has no message."""
        self.events += 1
        if self._outcome_depth and len(self._text) < _LONGEST_MESSAGE:
            self._text += content[:_LONGEST_MESSAGE]

    def facts(self) -> TestFacts:
        """Return the sums, after the end of the document."""
        return self._sums.facts()

    def _root(self, name: str, attrs: AttributesImpl) -> None:
        if name not in ("testsuite", "testsuites"):
            raise Defect(f"the root element is <{_line(name)[:50]}>, not <testsuite> or <testsuites>")
        self._by_pytest = "pytest" in (attrs.get("name") or "").split()

    def _open_suite(self, name: str, attrs: AttributesImpl) -> None:
        if self._case:
            raise Defect("a suite inside a test")
        says = {key: _number(attrs[key], key) for key in ("tests", "failures", "errors") if key in attrs}
        self._suites.append(_Suite(_line(attrs.get("name") or name), says))

    def _close_suite(self) -> None:
        suite = self._suites.pop()
        _check_totals(suite, lenient=self._by_pytest)
        if self._suites:
            self._suites[-1].tests += suite.tests
            self._suites[-1].bad += suite.bad
            self._suites[-1].repeated |= suite.repeated

    def _open_case(self, attrs: AttributesImpl) -> None:
        if self._case:
            raise Defect("a test inside a test")
        place, name = attrs.get("classname") or "", attrs.get("name") or ""
        self._case = Case(f"{place}::{name}" if place else name)
        if _NOT_RUN & {attrs.get("status"), attrs.get("result")}:
            self._case.worsen("skipped", "")
        if self._property in attrs:
            self._require(self._case, attrs[self._property])

    def _close_case(self) -> None:
        if self._case:
            self._suites[-1].tests += 1
            self._count(self._case)
        self._case = None

    def _open_outcome(self, name: str, attrs: AttributesImpl) -> None:
        if self._outcome_depth:
            return
        self._outcome_depth = self._depth
        self._text = ""
        case = self._case or Case(self._suites[-1].name)
        case.worsen(_OUTCOMES[name], _line(attrs.get("message") or "")[:_LONGEST_MESSAGE])
        if self._case is None and name != "skipped":
            self._count(case)

    def _close_outcome(self) -> None:
        if self._case and not self._case.message:
            self._case.message = _line(self._text.strip())[:_LONGEST_MESSAGE]
        self._outcome_depth = 0

    def _require(self, case: Case, ids: str) -> None:
        for one in filter(None, map(str.strip, ids.split(","))):
            if len(one) > _LONGEST_REQUIREMENT:
                raise Defect(f"a requirement id of more than {_LONGEST_REQUIREMENT} characters")
            case.requirements[_line(one)] = None
        if len(case.requirements) > _MOST_REQUIREMENTS:
            raise Defect(f"a test with more than {_MOST_REQUIREMENTS} requirement ids")

    def _count(self, case: Case) -> None:
        """Count a test; of one that was repeated the last attempt alone."""
        suite = self._suites[-1]
        name = _line(case.name)[:_LONGEST_NAME]
        known_by_name = name == case.name and case is self._case  # a name that was cut could be another's
        case.name = name
        if case is self._case:
            case.requirements |= dict.fromkeys(self._links(name))
        bad = case.outcome in ("error", "failed")
        suite.bad += bad
        if known_by_name:
            attempts = suite.take_earlier(case) if not bad or self._by_pytest else []
            for attempt in attempts:
                self._sums.forget(attempt)
                case.requirements |= attempt.requirements
            case.flaky = case.flaky or (bool(attempts) and not case.outcome)
            suite.remember(case, passed=self._by_pytest)
        self._sums.add(case, is_test=case is self._case)


def _check_totals(suite: _Suite, *, lenient: bool) -> None:
    """Raise Defect when a suite's own totals contradict what it contains.

    pytest's `tests` counts reports, not elements: subtests and a failing teardown make it differ from
    what it writes, in both directions; there only an empty suite contradicts it. Surefire's totals are
    those of the last repetition when there was one, and it contains more then.
    """
    tests = suite.says.get("tests", suite.tests)
    lenient = (lenient and suite.tests > 0) or (suite.repeated and tests < suite.tests)
    if tests != suite.tests and not lenient:
        raise Defect(f"suite {suite.name[:100]!r} says {tests} tests, contains {suite.tests}")
    bad = suite.says.get("failures", 0) + suite.says.get("errors", 0)
    if bad and not suite.bad:
        raise Defect(f"suite {suite.name[:100]!r} says {bad} failures or errors, contains none")


def _number(text: str, key: str) -> int:
    if not text.strip():
        return 0
    try:
        number = int(text)
    except ValueError as error:
        raise Defect(f"{key}={text[:50]!r} is not a number") from error
    if number < 0:
        raise Defect(f"{key}={number} is negative")
    return number


def _line(text: str) -> str:
    """Return the first line, without characters that could steer a terminal."""
    first = text.split("\n", 1)[0]
    return first if first.isprintable() else "".join(c if c.isprintable() else " " for c in first)
