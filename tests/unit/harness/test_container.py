"""The test container: its time limit holds, and its output and logs are bounded, whatever is printed."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from autoclave.device.schema import UnitTest
from autoclave.engines.base import ContainerState
from autoclave.harness import container, services

ENDED = ContainerState(
    id="c",
    name="c",
    image="sha256:1",
    running=False,
    exit_code=137,
)


class EndlessEngine:
    """An engine whose container prints until it is killed, and whose log does not end even then."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.killed = threading.Event()

    def start(self, container: str) -> None:
        """Start nothing."""

    def logs(self, container: str, *, follow: bool = False) -> Iterator[str]:
        while True:
            yield self.line

    def kill(self, container: str) -> None:
        self.killed.set()

    def state(self, container: str) -> ContainerState:
        return replace(ENDED, running=not self.killed.is_set())

    def wait(self, container: str) -> ContainerState:
        return ENDED


@pytest.mark.parametrize("line", ["", "y", "x" * 8192])
def test_the_time_limit_holds_for_output_without_end(line: str) -> None:
    shown: deque[str] = deque(maxlen=10)
    warned: list[str] = []
    screen = SimpleNamespace(
        line=lambda _, text: shown.append(text), warn=lambda _, text: warned.append(text)
    )
    ctx: Any = SimpleNamespace(engine=EndlessEngine(line), screen=screen, cancelled=threading.Event())
    started = time.monotonic()
    state, timed_out = container._wait_for_end("c", UnitTest(command=["t"], timeout=1), ctx)
    assert (state.exit_code, timed_out) == (137, True)
    assert 0.9 < time.monotonic() - started < 30
    assert len(warned) <= 1


def test_a_log_without_end_is_kept_up_to_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_LARGEST_LOG", 100)
    tail: deque[str] = deque(maxlen=3)
    kept = b"".join(services._bound(EndlessEngine("line").logs("c"), tail))
    assert kept == b"line\n" * 20 + b"(the rest of the log is not kept)\n"
    assert list(tail) == ["line"] * 3
