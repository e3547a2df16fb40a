"""When a registry is asked again: few times, ever later, and never after a refusal that will stay one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from autoclave.store.registry.errors import explain_silence
from autoclave.store.registry.http import Answer, Broken

TRIES = 5
RETRIED = frozenset({429, 500, 502, 503, 504})
_FIRST, _LONGEST, _CAP = 0.5, 8.0, 30.0


class Retry:
    """Repeats what may pass; `sleep` is given by tests."""

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep

    def __call__(self, attempt: Callable[[], Answer], url: str, *, tries: int = TRIES) -> Answer:
        """Return the first answer that will not pass, or the last one; raise RegistryError without any."""
        for turn in range(1, tries + 1):
            retry_after = ""
            try:
                answer = attempt()
            except Broken as broken:
                if broken.final or turn == tries:
                    raise explain_silence(url, broken) from broken
            else:
                if answer.status not in RETRIED or turn == tries:
                    return answer
                retry_after = answer.headers.get("Retry-After", "")
            self.wait(turn, retry_after)
        raise AssertionError("unreachable: the last turn returns or raises")

    def wait(self, turn: int, retry_after: str = "") -> None:
        """Wait before asking for the time `turn` + 1."""
        self._sleep(pause(turn, retry_after))


def pause(turn: int, retry_after: str = "", *, part: float | None = None) -> float:
    """Return seconds: twice as many each turn, a random part of them, at least what the registry asks for."""
    # Without the random part, everybody who was turned away would come back at the same moment.
    chance = random.uniform(0.5, 1) if part is None else part  # noqa: S311 -- no secret
    own: float = min(_LONGEST, _FIRST * 2.0 ** (turn - 1)) * chance
    return max(own, min(_CAP, _parse_retry_after(retry_after)))


def _parse_retry_after(retry_after: str) -> float:
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:6])
    try:
        when = parsedate_to_datetime(retry_after)
        return (when.astimezone(UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
