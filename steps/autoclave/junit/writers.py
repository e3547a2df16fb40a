"""What the totals of a suite mean, by writer, where they do not count its `testcase` elements.

A report does not name its writer: it is recognised by the shape of what it writes. A row counts only where
the common meaning contradicts the cases, so a report that merely looks like a writer's gains nothing but
that writer's meaning.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct


class Shape(Struct):
    """What can be seen of a suite's writer: names of attributes in their order, and a few values."""

    root: tuple[str, ...] = ()
    root_name: str = ""
    suite: tuple[str, ...] = ()
    suite_name: str = ""
    hostname: str = ""
    case: tuple[str, ...] = ()
    """The attributes of its first test."""


class Count(Struct):
    """What a suite contains, with all suites inside it; `children` are its own tests and suites."""

    tests: int = 0
    skipped: int = 0
    bad: int = 0
    attempts: int = 0
    children: int = 0


class Writer(Struct, frozen=True, kw_only=True):
    """A writer of reports. `explains` returns whether totals fit what a suite contains, in its own meaning.

    With `hides_retries`, a test that it repeats until it passes looks like any other in its report. `remark`
    is what people should know when its totals contradict the cases.
    """

    name: str
    source: str
    recognises: Callable[[Shape], bool]
    explains: Callable[[dict[str, int], Count], bool] = lambda says, count: False
    hides_retries: str = ""
    remark: str = ""


_PYTEST = ("name", "errors", "failures", "skipped", "tests", "time", "timestamp", "hostname")
_DOCTEST = ("name", "errors", "failures", "tests")
_GINKGO_CASE = ("name", "classname", "status", "time")
_PLAYWRIGHT = ("id", "name", "tests", "failures", "skipped", "errors", "time")


def is_pytest(shape: Shape) -> bool:
    """Return whether a suite is from pytest, whose suite can have a name of the device's own."""
    named = "pytest" in shape.root_name.split() or shape.suite_name == "pytest"
    return named or shape.suite == _PYTEST


def _no_failure(says: dict[str, int], count: Count) -> bool:
    return not says.get("failures", 0) + says.get("errors", 0) or count.bad > 0


WRITERS = (
    Writer(
        name="pytest",
        # LogXML.pytest_sessionfinish: numtests counts reports, so each subtest adds one without an element.
        source="https://github.com/pytest-dev/pytest/blob/03fd05ad/src/_pytest/junitxml.py",
        recognises=is_pytest,
        explains=lambda says, count: 0 < count.tests <= says["tests"] and _no_failure(says, count),
        hides_retries="plug-ins: load Autoclave's with -p autoclave_requirements, which records them",
    ),
    Writer(
        name="Catch2",
        # JunitReporter::writeRun: tests is stats.totals.assertions.total(); hostname is always "tbd".
        source="https://github.com/catchorg/Catch2/blob/013edc20/src/catch2/reporters/catch_reporter_junit.cpp",
        recognises=lambda shape: shape.hostname == "tbd",
        explains=lambda says, count: count.tests > 0 and _no_failure(says, count),
    ),
    Writer(
        name="doctest",
        # JUnitReporter::test_run_end: tests is TestRunStats.numAsserts.
        source="https://github.com/doctest/doctest/blob/8dd95e1e/doctest/parts/private/reporters/junit.cpp",
        recognises=lambda shape: (
            "doctest_version" in shape.suite or (shape.suite == _DOCTEST and "status" in shape.case)
        ),
        explains=lambda says, count: count.tests > 0 and _no_failure(says, count),
    ),
    Writer(
        name="node:test",
        # attrs.tests is the number of direct children, tests and suites.
        source="https://github.com/nodejs/node/blob/03bee188/lib/internal/test_runner/reporter/junit.js",
        recognises=lambda shape: {"disabled", "hostname"} <= set(shape.suite) and not shape.root,
        explains=lambda says, count: says["tests"] == count.children and _no_failure(says, count),
    ),
    Writer(
        name="Qt 5",
        # QXunitTestLogger::addMessage: every message, a qDebug too, adds one to errors.
        source="https://github.com/qt/qtbase/blob/035f934d/src/testlib/qxunittestlogger.cpp",
        recognises=lambda shape: "result" in shape.case and {"tests", "errors"} <= set(shape.suite),
        explains=lambda says, count: says["tests"] == count.tests and not says.get("failures", 0),
    ),
    Writer(
        name="Mocha",
        source="https://mochajs.org/declaring/retrying-tests",
        recognises=lambda shape: "Mocha Tests" in (shape.root_name, shape.suite_name),
        hides_retries="this.retries() and --retries",
    ),
    Writer(
        name="Jest",
        source="https://jestjs.io/docs/jest-object#jestretrytimesnumretries-options",
        recognises=lambda shape: shape.root_name == "jest tests",
        hides_retries="jest.retryTimes()",
        remark="a test.todo is written as if it had passed: use test.skip",
    ),
    Writer(
        name="Vitest",
        source="https://vitest.dev/config/retry",
        recognises=lambda shape: shape.root_name == "vitest tests",
        hides_retries="retry",
    ),
    Writer(
        name="Playwright",
        source="https://playwright.dev/docs/test-retries",
        recognises=lambda shape: shape.root == _PLAYWRIGHT,
        hides_retries="retries",
    ),
    Writer(
        name="Ginkgo",
        # GenerateJUnitReport: of FlakeAttempts, and of flaky attempts, only the captured output speaks.
        source="https://github.com/onsi/ginkgo/blob/189bc5a0/reporters/junit_report.go",
        recognises=lambda shape: "package" in shape.suite and shape.case == _GINKGO_CASE,
        hides_retries="FlakeAttempts and --flake-attempts",
    ),
    Writer(
        name="CTest",
        source="https://gitlab.kitware.com/cmake/cmake/-/merge_requests/3960",
        recognises=lambda shape: shape.case == ("name", "classname", "time", "status") and not shape.root,
        hides_retries="--repeat until-pass",
    ),
)


def find_writers(shape: Shape) -> list[Writer]:
    """Return the writers that a suite may be from, most often one or none."""
    return [each for each in WRITERS if each.recognises(shape)]
