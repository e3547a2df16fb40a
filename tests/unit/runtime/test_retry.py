"""Retry: how often, how long it waits, and what a server's Retry-After changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from autoclave.runtime.retry import TRIES, Retry, pause


def test_pauses_double_up_to_a_limit() -> None:
    assert [pause(turn, part=1) for turn in range(1, 7)] == [0.5, 1, 2, 4, 8, 8]
    assert all(0.25 <= pause(1) <= 0.5 for _ in range(100))


def test_a_server_may_ask_for_a_longer_pause_within_reason() -> None:
    assert pause(1, "7", part=1) == 7
    assert pause(1, "86400", part=1) == 30
    assert pause(5, "0", part=1) == 8
    for nonsense in ("", "soon", "-5", "1.5", "٣", "9" * 5000):
        assert pause(1, nonsense, part=1) in {0.5, 30}


@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0000"])
def test_a_retry_after_may_be_a_date(zone: str) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True).replace("GMT", zone)
    assert 15 < pause(1, later, part=1) <= 20
    earlier = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True).replace("GMT", zone)
    assert pause(1, earlier, part=1) == 0.5


def test_the_last_try_returns_its_result_or_raises_its_exception() -> None:
    slept: list[float] = []
    retry = Retry(slept.append)
    assert retry(lambda: "busy", lambda _: "") == "busy"
    assert len(slept) == TRIES - 1

    def fail() -> str:
        raise OSError("down")

    with pytest.raises(OSError, match="down"):
        retry(fail, lambda _: "", tries=2)
    assert len(slept) == TRIES


def test_what_cannot_help_is_not_repeated() -> None:
    slept: list[float] = []
    outcomes = iter(["busy", "done", "never"])
    retry = Retry(slept.append)
    assert retry(lambda: next(outcomes), lambda each: "7" if each == "busy" else None) == "done"
    assert slept == [7.0]
