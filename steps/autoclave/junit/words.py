"""How a test ended, in the words of writers: attributes of a test, names of elements, comments of Qt."""

from __future__ import annotations

import re

from autoclave.junit.totals import Defect

OUTCOMES = {"error": "error", "failure": "failed", "skipped": "skipped"}
"""Elements inside a test (or a suite) that say how it ended."""

REPETITIONS = frozenset({"flakyFailure", "flakyError", "rerunFailure", "rerunError"})
"""Elements of attempts before the last one (Surefire's XSD; other writers took them over)."""

ATTRIBUTES = ("status", "result", "outcome", "state")
"""Attributes of a test that can say how it ended."""

_WORDS = {
    # It ran; whether it passed is said elsewhere, or by these words themselves.
    "": "run completed complete executed passed pass success successful succeeded ok bpass",
    # It did not run, or (Qt's xfail) it failed as a known defect does: nothing was shown either way.
    "skipped": "skipped skip notrun disabled suppressed ignored ignore pending todo untested notexecuted "
    "inconclusive blocked filtered deselected xfail bxfail",
    "failed": "failed fail failure xpass bfail bxpass unexpectedsuccess",
    "error": "error errored broken crashed crash aborted abort timeout timedout interrupted panicked "
    "cancelled canceled killed undefined hookerror cleanuperror",
}
_OUTCOME_OF = {word: outcome for outcome, words in _WORDS.items() for word in words.split()}
_OUTCOME_OF[""] = ""

# Elements that nobody documents, but whose names speak of an end that is not a pass.
_ALARMING = re.compile(
    r"fail|error|skip|ignor|disabl|pending|flaky|rerun|retr[iy]|crash|timeout|broken|abort|cancel|"
    r"inconclusive|todo|panic|notrun",
    re.IGNORECASE,
)
_HARMLESS = frozenset({"system-err", "system-out", "stderr", "stdout"})

# Qt 5 writes messages as comments (qtestxunitstreamer.cpp): <!-- message="…" type="skip" -->.
_QT_TYPE = re.compile(r'\btype="(?P<type>\w+)"')
_QT_OUTCOME = {"skip": "skipped", "qfatal": "error"}
_QT_MESSAGE = re.compile(r'\bmessage="(?P<message>[^"]*)"')


def outcome_of(word: str, attribute: str, test: str) -> str:
    """Return the outcome that an attribute states, empty when it is a pass. Raises Defect for other words."""
    plain = word.lower()
    outcome = _OUTCOME_OF.get(plain)
    if outcome is None:
        outcome = _OUTCOME_OF.get(re.sub(r"[\s_-]", "", plain))
    if outcome is None:
        raise Defect(
            f"test {test[:100]!r} has {attribute}={word[:50]!r}, which is not known to mean that it passed"
        )
    return outcome


def may_fail(outcome: str, message: str) -> bool:
    """Return whether a skip is what Catch2 writes before the failure that a test is allowed to have."""
    return outcome == "skipped" and message == "TEST_CASE tagged with !mayfail"


def refuse_unknown(element: str, where: str) -> None:
    """Raise Defect for an unknown element that may say that a test did not pass."""
    if _ALARMING.search(element) and element not in _HARMLESS:
        raise Defect(
            f"<{element[:50]}> in {where[:100]!r} is not known: whether the test passed cannot be judged"
        )


def outcome_of_comment(text: str) -> tuple[str, str]:
    """Return outcome and message of a comment inside a test, both empty for any other comment."""
    kind = _QT_TYPE.search(text)
    outcome = _QT_OUTCOME.get(kind["type"], "") if kind else ""
    message = _QT_MESSAGE.search(text) if outcome else None
    return outcome, message["message"] if message else ""
