"""What the elements of a JUnit report mean: suites, tests, outcomes, properties.

There is no single standard: names with a namespace's prefix, suites in suites, words in attributes and
comments of Qt and of Node's reporter count alike. A test passed only on a repetition when an element says so
(`flakyFailure`, `flakyError`), or when pytest's total has one test for several of its name. Two tests of one
name are otherwise two tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.sax.handler import ContentHandler, LexicalHandler
from xml.sax.xmlreader import AttributesImpl

from autoclave.junit import plugins, words
from autoclave.junit.suites import Suite
from autoclave.junit.totals import Case, Defect, Sums
from autoclave.junit.writers import Shape

_DEEPEST = 64
_LONGEST_NAME = 500
_LONGEST_MESSAGE = 300
_LONGEST_REQUIREMENT = 100
_LONGEST_NOTE = 100  # characters of a test's kind or technique
_MOST_REQUIREMENTS = 1000  # of one test

_SUITES = ("testsuite", "testsuites")
_KNOWN = {*_SUITES, "testcase", "properties", "property", "system-out", "system-err"}
_KINDS = {"TestType", "test-type", "test_type"}
_TECHNIQUES = {"DerivationTechnique", "derivation-technique", "derivation_technique"}
# Node's reporter ends with comments that count all tests, those with steps too, which are written as suites.
_NODE_COUNT = re.compile(r" (?P<key>tests|suites|pass|fail|cancelled|skipped|todo) (?P<number>\d{1,9}) ")
_NODE_KEYS = {"tests", "suites", "pass", "fail", "cancelled", "skipped", "todo"}


class Collector(ContentHandler, LexicalHandler):
    """Receives parser events and adds them up. `events` counts them, so a reader sees progress."""

    def __init__(
        self, sums: Sums, requirement_property: str, links: Callable[[str], tuple[str, ...]]
    ) -> None:
        super().__init__()
        self.events = 0
        self._property = requirement_property
        self._links = links
        self._depth = 0
        self._shape = Shape()
        self._suites: list[Suite] = []
        self._case: Case | None = None
        self._attempt_depth = 0  # depth of the attempt that we are inside of; what is in it is the attempt's
        self._outcome_depth = 0  # depth of the failure, error or skipped element we are inside of
        self._text = ""
        self._node: dict[str, int] = {}
        self._sums = sums
        self._failed = False

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802
        """Open a suite, a test, an outcome or a property."""
        self.events += 1
        self._depth += 1
        if ":" in name:
            name = name.rpartition(":")[2]
        if self._depth == 1:
            self._root(name, attrs)
        if self._depth > _DEEPEST:
            raise Defect(f"elements nested more than {_DEEPEST} deep")
        if name == "testcase":
            self._open_case(attrs)
        elif name == "property":
            self._note_property(attrs.get("name") or "", attrs.get("value") or "")
        elif name in _SUITES:
            self._open_suite(name, attrs)
        elif name in words.OUTCOMES:
            self._open_outcome(name, attrs)
        elif name in words.REPETITIONS and self._case:
            self._attempt_depth = self._attempt_depth or self._depth
            self._suites[-1].count.attempts += 1
            self._case.flaky = self._case.flaky or name.startswith("flaky")
        elif name not in _KNOWN:
            self._pass_over(name)

    def endElement(self, name: str) -> None:  # noqa: N802
        """Close what `startElement` opened."""
        self.events += 1
        if ":" in name:
            name = name.rpartition(":")[2]
        if name == "testcase":
            self._close_case()
        elif name in _SUITES:
            self._close_suite()
        elif self._depth == self._outcome_depth:
            self._close_outcome()
        elif self._depth == self._attempt_depth:
            self._attempt_depth = 0
        self._depth -= 1

    def characters(self, content: str) -> None:
        """Keep the beginning of an outcome's text, for tests whose outcome has no message."""
        self.events += 1
        if self._outcome_depth and len(self._text) < _LONGEST_MESSAGE:
            self._text += content[:_LONGEST_MESSAGE]

    def comment(self, content: str) -> None:
        """Take what Qt 5 and Node's reporter say in comments alone."""
        self.events += 1
        if self._case and not self._outcome_depth:
            outcome, message = words.outcome_of_comment(content)
            if outcome:
                self._case.worsen(outcome, to_line(message)[:_LONGEST_MESSAGE])
        elif self._depth == 1 and (count := _NODE_COUNT.fullmatch(content)):
            self._node[count["key"]] = int(count["number"])

    def _root(self, name: str, attrs: AttributesImpl) -> None:
        if name not in _SUITES:
            raise Defect(f"the root element is <{to_line(name)[:50]}>, not <testsuite> or <testsuites>")
        if name == "testsuites":
            self._shape = Shape(root=tuple(attrs.getNames()), root_name=attrs.get("name") or "")

    def _open_suite(self, name: str, attrs: AttributesImpl) -> None:
        if self._case:
            raise Defect("a suite inside a test")
        shape = Shape(
            root=self._shape.root,
            root_name=self._shape.root_name,
            suite=tuple(attrs.getNames()),
            suite_name=attrs.get("name") or "",
            hostname=attrs.get("hostname") or "",
        )
        self._suites.append(Suite(to_line(attrs.get("name") or name), attrs, shape))

    def _close_suite(self) -> None:
        suite = self._suites.pop()
        if not self._suites:
            self._check_nodes_counts(suite)
        suite.close(self._sums)
        self._failed = self._failed or suite.count.bad > 0
        if self._suites:
            self._suites[-1].take(suite)
        elif not self._failed and (problem := suite.missing[1] or suite.problem):
            raise Defect(problem)

    def _check_nodes_counts(self, root: Suite) -> None:
        """Count what Node says of tests with steps: their own failure, or skip, is in no element."""
        if not self._node.keys() >= _NODE_KEYS:
            return
        failed = self._node["fail"] + self._node["cancelled"]
        if failed and not root.count.bad:
            case = Case(root.name)
            case.worsen(
                "failed", f"{failed} failed tests with steps, which the report names in a comment alone"
            )
            root.count.bad += 1
            self._sums.add(case, is_test=False)
        unnamed = self._node["skipped"] + self._node["todo"] - root.count.skipped
        if unnamed > 0:
            self._sums.add_unnamed_skips(unnamed)

    def _open_case(self, attrs: AttributesImpl) -> None:
        if self._case:
            raise Defect("a test inside a test")
        if not self._suites[-1].shape.case:
            self._suites[-1].shape.case = tuple(attrs.getNames())
        place, name = attrs.get("classname") or "", attrs.get("name") or ""
        self._case = Case(f"{place}::{name}" if place else name)
        for attribute in words.ATTRIBUTES:
            if attribute in attrs and (outcome := words.outcome_of(attrs[attribute], attribute, name)):
                self._case.worsen(outcome, "")
        if self._property in attrs:
            self._require(self._case, attrs[self._property])

    def _close_case(self) -> None:
        if self._case:
            self._suites[-1].add(self._case)
            self._count(self._case)
        self._case = None

    def _open_outcome(self, name: str, attrs: AttributesImpl) -> None:
        if self._outcome_depth or self._attempt_depth:
            return
        self._outcome_depth = self._depth
        self._text = ""
        case = self._case or Case(self._suites[-1].name)
        if not case.may_fail:
            case.worsen(words.OUTCOMES[name], to_line(attrs.get("message") or "")[:_LONGEST_MESSAGE])
            case.may_fail = words.may_fail(case.outcome, case.message)
        if self._case is None:
            self._suites[-1].count.bad += case.outcome != "skipped"
            self._suites[-1].count.skipped += case.outcome == "skipped"
            self._count(case)

    def _close_outcome(self) -> None:
        if self._case and not self._case.message:
            self._case.message = to_line(self._text.strip())[:_LONGEST_MESSAGE]
        self._outcome_depth = 0

    def _pass_over(self, name: str) -> None:
        """Pass over an element that is none of JUnit's, unless it may say how a test ended."""
        if not self._outcome_depth and not self._attempt_depth:
            words.refuse_unknown(name, self._case.name if self._case else self._suites[-1].name)

    def _note_property(self, name: str, value: str) -> None:
        """Take a property of a test, or the plug-ins that pytest ran with, which is one of a suite."""
        if self._case is None:
            if name == plugins.PROPERTY:
                self._suites[-1].plugins = plugins.judge(value)
        elif name == self._property:
            self._require(self._case, value)
        elif name in _KINDS:
            self._case.kind = to_line(value)[:_LONGEST_NOTE]
        elif name in _TECHNIQUES:
            self._case.technique = to_line(value)[:_LONGEST_NOTE]

    def _require(self, case: Case, ids: str) -> None:
        for one in filter(None, map(str.strip, ids.split(","))):
            if len(one) > _LONGEST_REQUIREMENT:
                raise Defect(f"a requirement id of more than {_LONGEST_REQUIREMENT} characters")
            case.requirements[to_line(one)] = None
        if len(case.requirements) > _MOST_REQUIREMENTS:
            raise Defect(f"a test with more than {_MOST_REQUIREMENTS} requirement ids")

    def _count(self, case: Case) -> None:
        name = to_line(case.name)[:_LONGEST_NAME]
        whole = name == case.name  # a name that was cut could be another's
        case.name = name
        if case is self._case:
            case.requirements |= dict.fromkeys(self._links(name))
            if whole and self._suites[-1].may_repeat:
                self._suites[-1].note_double(case)
        self._sums.add(case, is_test=case is self._case)


def to_line(text: str) -> str:
    """Return the first line, without characters that could steer a terminal."""
    first = text.split("\n", 1)[0]
    return first if first.isprintable() else "".join(c if c.isprintable() else " " for c in first)
