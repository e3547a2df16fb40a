"""Which requests to a registry are retried: after no answer or a temporary failure, never after a refusal."""

from __future__ import annotations

from collections.abc import Callable

from autoclave.runtime.retry import BUSY, TRIES, Retry
from autoclave.store.registry.errors import explain_silence
from autoclave.store.registry.http import Answer, Broken

RETRIED = BUSY | {500}
"""Statuses after which a request is retried; registries answer 500 when their storage fails for a moment."""


def send_until_answered(
    retry: Retry, attempt: Callable[[], Answer], url: str, *, tries: int = TRIES
) -> Answer:
    """Return the first answer that another try would not change, or the last one.

    Raises RegistryError when there is no answer.
    """
    try:
        return retry(attempt, _retry_after, tries=tries)
    except Broken as broken:
        raise explain_silence(url, broken) from broken


def _retry_after(outcome: Answer | Exception) -> str | None:
    if isinstance(outcome, Exception):
        return "" if isinstance(outcome, Broken) and not outcome.final else None
    return outcome.headers.get("Retry-After", "") if outcome.status in RETRIED else None
