"""How far something is, and how long it takes: said of what takes long, and never a reason to fail."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from rich.console import Console

from autoclave.console.json import JsonScreen
from autoclave.console.live import LiveScreen
from autoclave.console.plain import PlainScreen
from autoclave.console.progress import Transfer, describe, duration
from autoclave.console.timed import TimedScreen
from autoclave.errors import SourceError
from autoclave.model.verdict import Verdict


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("done", "total", "seconds", "says"),
    [
        (120_000_000, 480_000_000, 10, "120.0 of 480.0 MB, 25 %, about 30 s left"),
        (1_000_000, 1_000_000_000, 10, "1.0 of 1,000.0 MB, 0 %, about 2.8 h left"),
        (5_000_000, 0, 10, "5.0 MB"),
        (480_000_001, 480_000_000, 10, "480.0 MB"),
        (0, 480, 10, "0.0 MB"),
    ],
)
def test_the_rest_is_estimated_by_the_speed_until_now(
    done: int, total: int, seconds: float, says: str
) -> None:
    assert describe(done, total, seconds) == says


@pytest.mark.parametrize(
    ("seconds", "says"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h")]
)
def test_a_span_is_in_the_unit_of_a_person(seconds: float, says: str) -> None:
    assert duration(seconds) == says


def test_a_short_transfer_says_nothing_and_a_long_one_now_and_then() -> None:
    err, clock = io.StringIO(), Clock()
    moved = Transfer(PlainScreen(err=err), "store", "app", 100_000_000, clock=clock)
    assert list(moved.count([b"12", b"3"])) == [b"12", b"3"]
    assert err.getvalue() == ""
    for _ in range(20):
        clock.now += 1
        moved.add(1_000_000)
    lines = err.getvalue().splitlines()
    assert len(lines) == 4
    assert "app: 5.0 of 100.0 MB, 5 %, about 2 min left" in lines[0]


def test_progress_is_an_event_for_machines() -> None:
    out = io.StringIO()
    JsonScreen(out).progress("store", "half")
    event = json.loads(out.getvalue())
    assert (event["event"], event["step"], event["text"]) == ("progress", "store", "half")


def test_a_terminal_shows_it_below_the_steps_that_run() -> None:
    console = Console(file=io.StringIO(), width=100)
    screen = LiveScreen(console)
    screen.progress("export", "before any step")
    screen.begin("build", "app")
    screen.progress("build", "\x1b[2Japp: 5 MB")
    with console.capture() as shown:
        console.print(screen.table())
    assert "app: 5 MB" in shown.get()
    assert "\x1b[2J" not in shown.get()
    screen.verdict(Verdict("build", ()), 1.0, "app")
    with console.capture() as shown:
        console.print(screen.table())
    assert "5 MB" not in shown.get()
    screen.close()


def timed(read: Callable[[], bytes], write: Callable[[bytes], object]) -> tuple[TimedScreen, io.StringIO]:
    err = io.StringIO()
    return TimedScreen(PlainScreen(err=err), read, write), err


def test_a_step_says_how_long_it_took_the_last_time() -> None:
    kept = [b""]
    screen, err = timed(lambda: kept[-1], kept.append)
    screen.begin("scan", "app sha256:1")
    assert "the last time" not in err.getvalue()
    screen.verdict(Verdict("scan", ()), 61.04, "app sha256:1")
    screen.verdict(Verdict("scan", ()), 2.0, "gateway sha256:2")
    screen.begin("scan", "app sha256:3")
    screen.begin("scan", "gateway sha256:2")
    assert "▶ app sha256:3 (took 61 s the last time)\n" in err.getvalue()
    assert err.getvalue().endswith("▶ gateway sha256:2\n")
    assert json.loads(kept[-1]) == {"scan app": 61.0, "scan gateway": 2.0}
    for number in range(600):
        screen.verdict(Verdict("scan", ()), 9.0, f"image{number}")
    assert len(json.loads(kept[-1])) == 500


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[",
        b"[]",
        b'{"scan app": "x"}',
        b'{"scan app": 1e300}',
        b'{"scan app": -1}',
        b"\xff" * 9,
        b"[" * 99_999,
    ],
)
def test_a_file_that_cannot_be_used_is_no_estimate(raw: bytes) -> None:
    screen, err = timed(lambda: raw, lambda _: None)
    screen.begin("scan", "app")
    screen.verdict(Verdict("scan", ()), 9.0, "")
    assert "the last time" not in err.getvalue()


def test_a_folder_that_cannot_be_written_fails_no_step() -> None:
    def refuse(*_: object) -> bytes:
        raise SourceError("no")

    screen, err = timed(refuse, refuse)
    screen.begin("scan", "app")
    screen.verdict(Verdict("scan", ()), 9.0, "app")
    assert "passed app" in err.getvalue()
