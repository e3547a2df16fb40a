"""Suites while they are being read: what each contains, and whether that is what its totals say.

How a test ended is decided from the cases. Totals are compared all the same: they show tests that are
missing from a report, and skipped tests for which a writer writes no element (libtest, Mocha). A report in
which a test failed needs no comparison, since it passes no gate.
"""

from __future__ import annotations

from collections import OrderedDict
from xml.sax.xmlreader import AttributesImpl

from autoclave.junit.plugins import Plugins
from autoclave.junit.totals import Case, Defect, Sums
from autoclave.junit.writers import Count, Shape, Writer, find_writers, is_pytest

_MOST_REMEMBERED = 10_000  # passed tests of one suite, the newest
_MOST_ATTEMPTS = 10_000  # that are remembered; a report with more of them contradicts its total
_LARGEST_TOTAL = 1_000_000_000

_TOTALS = ("tests", "failures", "errors")
_SKIPS = ("skipped", "disabled", "skips", "skip", "ignored")  # pytest 2 and nose write skips and skip


class Suite:
    """One suite, or the `testsuites` element around all."""

    __slots__ = (
        "_attempts",
        "_doubles",
        "_passed",
        "_skips",
        "count",
        "may_repeat",
        "missing",
        "name",
        "plugins",
        "problem",
        "says",
        "shape",
    )

    def __init__(self, name: str, attributes: AttributesImpl, shape: Shape) -> None:
        self.name = name
        self.shape = shape
        self.count = Count()
        self.says = _numbers(attributes, _TOTALS)
        self._skips = _numbers(attributes, _SKIPS)
        self.problem = ""  # how totals contradict what this suite, or one inside it, contains
        self.missing: tuple[int, str] = (0, "")  # tests that only totals have, and the contradiction
        self._passed: OrderedDict[str, Case] = OrderedDict()
        self._doubles: dict[str, list[Case]] = {}
        self._attempts = 0
        self.may_repeat = is_pytest(shape)
        self.plugins: Plugins | None = None  # None: the report does not list them

    def add(self, case: Case) -> None:
        """Count a test of this suite itself."""
        self.count.tests += 1
        self.count.children += 1
        self.count.skipped += case.outcome == "skipped"
        self.count.bad += case.outcome in ("error", "failed")

    def note_double(self, case: Case) -> None:
        """Remember two tests of one name of which the first passed, in case the totals count one."""
        earlier = self._passed.pop(case.name, None)
        if earlier and self._attempts < _MOST_ATTEMPTS:
            self._attempts += 1
            self._doubles.setdefault(case.name, [earlier]).append(case)
        if not case.outcome:
            self._passed[case.name] = case
            if len(self._passed) > _MOST_REMEMBERED:
                self._passed.popitem(last=False)

    def close(self, sums: Sums) -> None:
        """Compare the totals. Missing tests are kept apart: a suite around this one may explain them."""
        writers = find_writers(self.shape)
        for writer in writers:
            if writer.hides_retries and self.shape.case and self.plugins is None:
                sums.hide_retries({writer.name: writer.hides_retries})
        if self.plugins:
            sums.hide_retries(self.plugins.hide)
        self._settle_attempts(sums)
        self._add_unnamed_skips(sums)
        self._compare(writers)

    def take(self, inner: Suite) -> None:
        """Add what a suite inside this one contains."""
        self.count.children += 1
        self.count.tests += inner.count.tests
        self.count.skipped += inner.count.skipped
        self.count.bad += inner.count.bad
        self.count.attempts += inner.count.attempts
        self.problem = self.problem or inner.problem
        self.missing = (self.missing[0] + inner.missing[0], self.missing[1] or inner.missing[1])

    def _settle_attempts(self, sums: Sums) -> None:
        """Make one test of the attempts of pytest-rerunfailures: pytest's total counts each test once."""
        surplus = self.count.tests - self.says.get("tests", self.count.tests)
        attempts = self._attempts
        if not attempts or not (surplus == attempts or (self.plugins and self.plugins.repeat)):
            return
        for *earlier, last in self._doubles.values():
            sums.forget(last)
            for case in earlier:
                sums.forget(case)
                last.requirements |= case.requirements
            last.flaky = not last.outcome
            sums.add(last, is_test=True)
        self.count.tests -= attempts

    def _add_unnamed_skips(self, sums: Sums) -> None:
        """Count the skipped tests that a total has and no element shows."""
        gap = self.says.get("tests", 0) - self.count.tests
        if 0 < gap <= sum(self._skips.values()) - self.count.skipped:
            sums.add_unnamed_skips(gap)
            self.count.tests += gap
            self.count.skipped += gap
            self.missing = (0, "") if self.missing[0] <= gap else self.missing

    def _compare(self, writers: list[Writer]) -> None:
        says, count, name = self.says, self.count, self.name[:100]
        skips = max(self._skips.values(), default=0)
        if skips > count.skipped:
            self.problem = self.problem or (
                f"suite {name!r} says {skips} skipped, contains {count.skipped}: which tests ran is not known"
            )
        if "tests" in says and any(each.explains(says, count) for each in writers):
            return
        tests = says.get("tests", count.tests)
        remarks = "".join(f" ({each.name}: {each.remark})" for each in writers if each.remark)
        contradiction = f"suite {name!r} says {tests} tests, contains {count.tests}{remarks}"
        if tests > count.tests + count.attempts:
            self.missing = (max(tests - count.tests, self.missing[0]), self.missing[1] or contradiction)
        elif tests < count.tests - count.skipped:  # some leave skipped tests out (Boost.Test, Swift Testing)
            self.problem = self.problem or contradiction
        bad = says.get("failures", 0) + says.get("errors", 0)
        if bad > count.attempts and not count.bad:
            self.problem = self.problem or f"suite {name!r} says {bad} failures or errors, contains none"


def _numbers(attributes: AttributesImpl, keys: tuple[str, ...]) -> dict[str, int]:
    return {key: _number(attributes[key], key) for key in keys if key in attributes}


def _number(text: str, key: str) -> int:
    if not text.strip():
        return 0
    try:
        number = int(text)
    except ValueError as error:
        raise Defect(f"{key}={text[:50]!r} is not a number") from error
    if number < 0:
        raise Defect(f"{key}={number} is negative")
    if number > _LARGEST_TOTAL:
        raise Defect(f"{key}={text[:50]!r} is too large")
    return number
