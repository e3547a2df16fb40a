"""How far a transfer is, and how long it still takes: said now and then, and not at all of a short one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from autoclave.console.base import Screen

EVERY = 5.0
"""Seconds between two reports, and before the first one."""


class Transfer:
    """A transfer of `total` bytes (0: nobody knows how many), reported on a screen. Threads may add to it."""

    def __init__(
        self,
        screen: Screen,
        step: str,
        what: str,
        total: int = 0,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._screen, self._step, self._what, self._total = screen, step, what, total
        self._clock = clock
        self._begun = self._reported = clock()
        self._done = 0

    def add(self, size: int) -> None:
        """Count bytes that were moved."""
        self._done += size
        now = self._clock()
        if now - self._reported >= EVERY:
            self._reported = now
            text = describe(self._done, self._total, now - self._begun)
            self._screen.progress(self._step, f"{self._what}: {text}")

    def count(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass chunks on, and count them."""
        for chunk in chunks:
            yield chunk
            self.add(len(chunk))


def describe(done: int, total: int, seconds: float) -> str:
    """Return how much is done, and about how long the rest takes at the speed until now."""
    if done >= total or not done:  # more than was announced: nobody knows the end
        return f"{done / 1e6:,.1f} MB"
    left = seconds * (total - done) / done
    return f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB, {100 * done // total} %, about {duration(left)} left"


def duration(seconds: float) -> str:
    """Return a time span in the unit that a person would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
