"""An engine that goes away in the middle of a run, and comes back."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import docker

from builders.devices import KNOWN_BAD
from builders.flow import device
from integration import gates_page
from integration.gates_page import Row
from integration.known_bad import is_released, step_of


class Cable:
    """A socket between client and engine that can be pulled: a double of an engine that stops."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def pull(self) -> None:
        """Cut every connection and answer none any more."""
        self.path.unlink()
        for each in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect("/var/run/docker.sock")
            self._open += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=_copy, args=(one, other), daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


SLOW = """\
import time

time.sleep(5)
"""


def test_the_engine_stops_in_the_middle(tmp_path: Path) -> None:
    with device(KNOWN_BAD / "control", tmp_path, name="t-engine") as repository:
        check = repository.folder / "tests" / "check.py"
        check.write_text(check.read_text("utf-8") + SLOW, "utf-8")
        repository.commit()
        cable = Cable(tmp_path / "engine.sock")
        timer = start_after_container(repository.name, cable.pull)
        done = repository.run("run", DOCKER_HOST=f"unix://{cable.path}")
        timer.join()
        assert done.code == 30, done.err
        assert "the engine does not" in done.message, done.err
        assert step_of(repository, done) == "unit-test", done.err
        assert not is_released(repository)
        (left,) = container_names(repository.name)
        assert [each.name for each in repository.containers()] == [left]
        gates_page.keep(Row("engine stopped in the middle", "unit-test", done.code, done.message))
        # The engine answers again: the run continues where it was, and the remaining container is removed.
        again = repository.run("run")
        assert again.code == 0, again.err
        assert f"removed {left}, left behind by a run that crashed" in again.err
        skipped = {line.split()[1] for line in again.err.splitlines() if "↷ skipped" in line}
        assert skipped == {"build", "scan"}, again.err
        assert container_names(repository.name) == []
        assert len(repository.containers()) == 1


def container_names(device: str) -> list[str]:
    """The containers of a device's steps that are in the engine now."""
    client = docker.from_env()
    names = [each.name for each in client.containers.list(all=True, filters=_steps_of(device))]
    client.close()
    return names


def _steps_of(device: str) -> dict[str, list[str]]:
    return {"label": ["dev.autoclave.run", f"dev.autoclave.device={device}"]}


def start_after_container(device: str, then: Callable[[], None]) -> threading.Thread:
    """Start a thread that acts a moment after a test container runs."""

    def wait() -> None:
        client = docker.from_env()
        for _ in range(600):
            if client.containers.list(filters=_steps_of(device)):
                break
            time.sleep(0.1)
        client.close()
        time.sleep(0.5)
        then()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread
