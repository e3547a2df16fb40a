"""Retry what may succeed later: a few times, after growing pauses, and not before the server allows it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

T = TypeVar("T")

TRIES = 5
BUSY = frozenset({429, 502, 503, 504})
"""HTTP statuses of a server that may answer the same request later."""

_FIRST, _LONGEST = 0.5, 8.0  # seconds: our first pause, and our longest
_LONGEST_ASKED = 30.0  # seconds, whatever a server asks for


class Retry:
    """Repeats an attempt; tests give another `sleep`."""

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep

    def __call__(
        self,
        attempt: Callable[[], T],
        retry_after: Callable[[T | Exception], str | None],
        *,
        tries: int = TRIES,
    ) -> T:
        """Return what `attempt` returns, or raise what it raises, at the latest at its last try.

        `retry_after` is given the result or the exception of a try. It returns None when another try cannot
        help; otherwise the value of the server's Retry-After header, empty without one.
        """
        for turn in range(1, tries + 1):
            try:
                outcome = attempt()
            except Exception as error:  # the caller's function knows them; every other one goes on
                asked = retry_after(error)
                if asked is None or turn == tries:
                    raise
            else:
                asked = retry_after(outcome)
                if asked is None or turn == tries:
                    return outcome
            self.wait(turn, asked)
        raise AssertionError("unreachable: the last try returns or raises")

    def wait(self, turn: int, retry_after: str = "") -> None:
        """Wait between the tries `turn` and `turn` + 1."""
        self._sleep(pause(turn, retry_after))


def pause(turn: int, retry_after: str = "", *, part: float | None = None) -> float:
    """Return seconds: twice as many each turn, a random part of them, at least what the server asks for."""
    # Without the random part, all clients that were turned away would come back at the same moment.
    chance = random.uniform(0.5, 1) if part is None else part  # noqa: S311 -- no secret
    own: float = min(_LONGEST, _FIRST * 2.0 ** (turn - 1)) * chance
    return max(own, min(_LONGEST_ASKED, _parse_retry_after(retry_after)))


def _parse_retry_after(text: str) -> float:
    """Return the seconds that a Retry-After header names, as a number or as a date; 0 for anything else."""
    if text.isascii() and text.isdigit():
        return float(text[:6])
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0.0
    # A date with the zone -0000 is in UTC, and comes without a zone.
    return ((date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
