"""Records that somebody tampered with, and an engine that goes away: the release gate stays closed."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from integration import tampering
from integration.devices import KNOWN_BAD, Repository, copied
from integration.gates_page import Row
from integration.test_known_bad import noted


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """The control device, built, tested and scanned; nothing wrong with it."""
    repository = copied(KNOWN_BAD / "control", tmp_path_factory.mktemp("scanned"), name="t-records")
    done = repository.run("run", "--to", "scan")
    assert done.code == 0, done.err
    done = repository.run("unit-test")
    assert done.code == 0, done.err
    yield repository
    repository.remove()


@pytest.fixture
def here(scanned: Repository, tmp_path: Path) -> Repository:
    """A copy of it to tamper with."""
    shutil.copytree(scanned.folder, tmp_path / "device", symlinks=True)
    return Repository(tmp_path / "device", scanned.home, scanned.port)


def test_nothing_is_wrong_with_the_copy(here: Repository) -> None:
    assert here.run("sign").code == 0
    assert len(here.signatures()) == 1


def refused(here: Repository, rows: list[Row], case: str, says: str) -> None:
    done = here.run("sign")
    noted(rows, case, done, step="sign", code=24, says=says)
    assert here.signatures() == []
    assert here.run("deploy", "staging").code == 25
    assert here.containers() == []


def test_a_record_with_one_byte_changed(here: Repository, rows: list[Row]) -> None:
    raw = tampering.envelope(here.store, tampering.VULNS).read_bytes()
    tampering.replace_envelope(here.store, tampering.VULNS, tampering.with_one_byte_changed(raw))
    refused(here, rows, "record with one byte changed", "signature does not fit its content")


def test_a_record_damaged_on_disk(here: Repository, rows: list[Row]) -> None:
    file = tampering.envelope(here.store, tampering.VULNS)
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(bytes(raw))
    refused(here, rows, "record damaged on disk", "vulns record")


def test_a_record_of_another_image(here: Repository, rows: list[Row]) -> None:
    index = tampering.load(here.store)
    first = tampering.record(index, tampering.VULNS)
    envelope = tampering.envelope(here.store, tampering.VULNS).read_bytes()
    here.edit("autoclave.toml", 'version = "1.0.0"', 'version = "1.0.1"')
    here.commit()
    assert here.run("run", "--to", "unit-test").code == 0
    done = here.run("scan")
    assert done.code == 0, done.err
    second = tampering.record(tampering.load(here.store), tampering.VULNS)
    assert first["digest"] != second["digest"]
    subject = json.loads(tampering.blob(here.store, second["digest"]).read_bytes())["subject"]
    tampering.replace_envelope(here.store, tampering.VULNS, envelope, subject=subject)
    refused(here, rows, "record of another image attached to this one", "is about another image")


def test_a_record_by_an_unknown_key(here: Repository, rows: list[Row], tmp_path: Path) -> None:
    stranger = Repository(here.folder, tmp_path / "stranger", here.port)
    assert stranger.run("scan", "--again").code == 0
    refused(here, rows, "record signed by an unknown key", "signed by an unknown key")


def test_a_deleted_scan_record(here: Repository, rows: list[Row]) -> None:
    index = tampering.load(here.store)
    index["manifests"].remove(tampering.record(index, tampering.VULNS))
    tampering.save(here.store, index)
    refused(here, rows, "scan record deleted before sign", "no valid vulns record")


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


def test_the_engine_stops_in_the_middle(rows: list[Row], tmp_path: Path) -> None:
    repository = copied(KNOWN_BAD / "hanging-test", tmp_path, name="t-engine")
    repository.edit("autoclave.toml", "timeout = 3", "timeout = 60")
    repository.commit()
    cable = Cable(tmp_path / "engine.sock")
    timer = waiting_for_container("t-engine", cable.pull)
    done = repository.run("run", "--to", "unit-test", DOCKER_HOST=f"unix://{cable.path}")
    timer.join()
    noted(rows, "engine stopped in the middle", done, step="unit-test", code=30, says="the engine does not")
    # The engine is back: the run goes on where it was, and the container left behind is swept.
    assert len(left_behind("t-engine")) == 1
    repository.edit("autoclave.toml", "timeout = 60", "timeout = 2")
    again = repository.run("run", "--to", "unit-test")
    assert again.code == 22, again.err
    assert "left behind by a run that crashed" in again.err
    assert left_behind("t-engine") == []


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_stopping_it_leaves_no_container(tmp_path: Path, stop: signal.Signals) -> None:
    repository = copied(KNOWN_BAD / "hanging-test", tmp_path, name="t-ctrl-c")
    repository.edit("autoclave.toml", "timeout = 3", "timeout = 60")
    repository.commit()
    process = subprocess.Popen(
        [sys.executable, "-m", "autoclave", "run"],
        cwd=repository.folder,
        env=repository.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    waiting_for_container("t-ctrl-c", lambda: process.send_signal(stop)).join()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert left_behind("t-ctrl-c") == []


def left_behind(device: str) -> list[str]:
    """The containers of a device's steps that are in the engine now."""
    client = docker.from_env()
    names = [each.name for each in client.containers.list(all=True, filters=_steps_of(device))]
    client.close()
    return names


def _steps_of(device: str) -> dict[str, list[str]]:
    return {"label": ["dev.autoclave.run", f"dev.autoclave.device={device}"]}


def waiting_for_container(device: str, then: Callable[[], None]) -> threading.Thread:
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
