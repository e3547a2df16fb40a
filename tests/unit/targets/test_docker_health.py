"""Which check decides whether a deployed container is healthy."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from autoclave.console.plain import PlainScreen
from autoclave.engines.base import ContainerState, EngineInfo
from autoclave.targets.docker import health
from autoclave.targets.docker.health import COMMAND_LABEL, PROBE_LABEL, Health


class Engine:
    """An engine on this machine, in which a command ends as it is told."""

    def __init__(self, code: int | None = 0) -> None:
        self.code = code
        self.ran: list[Sequence[str]] = []

    def info(self) -> EngineInfo:
        return EngineInfo(name="memory", kernel="", probe_host="127.0.0.1", clock="")

    def execute(self, container: str, command: Sequence[str], seconds: float) -> int | None:
        self.ran.append(command)
        return self.code


def complaint(engine: Engine, labels: dict[str, str], own: str = "", port: int | None = None) -> str:
    state = ContainerState(
        id="c", name="c", image="i", running=True, exit_code=0, labels=labels, health=own, host_port=port
    )
    return Health(engine, PlainScreen()).complaint(state)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (0, ""),
        (1, "its health command ends with exit code 1"),
        (None, "its health command cannot run, or takes more than 10 s"),
    ],
)
def test_a_health_command_decides_before_all_else(code: int | None, says: str) -> None:
    engine = Engine(code)
    labels = {COMMAND_LABEL: '["echoscu","127.0.0.1","11112"]', PROBE_LABEL: "/health"}
    assert complaint(engine, labels, own="unhealthy", port=1) == says
    assert engine.ran == [["echoscu", "127.0.0.1", "11112"]]


def test_a_probe_decides_before_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(health, "check", lambda *given: asked.append(given) or "no")
    assert complaint(Engine(), {PROBE_LABEL: "tcp"}, own="healthy", port=18080) == "no"
    assert asked == [("127.0.0.1", 18080, "tcp", 2.0)]
    assert complaint(Engine(), {PROBE_LABEL: "tcp"}, own="healthy") == "", "no port is published"


def test_nothing_that_shows_health_is_a_complaint() -> None:
    assert "nothing shows its health" in complaint(Engine(), {COMMAND_LABEL: "", PROBE_LABEL: ""})


def test_the_address_has_the_word_of_its_probe() -> None:
    state = ContainerState(
        id="c", name="c", image="i", running=True, exit_code=0, labels={PROBE_LABEL: "tcp"}, host_port=7
    )
    assert Health(Engine(), PlainScreen()).address(state) == "tcp://127.0.0.1:7"  # type: ignore[arg-type]
