"""Device repositories for tests: a copy of a sample, in git, with its own keys, port and containers."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

import worker_results
from builders import real_trivy

ROOT = Path(__file__).resolve().parents[2]
KNOWN_BAD = ROOT / "examples" / "known-bad"
SAMPLE = ROOT / "examples" / "pulse-oximeter"


@dataclass
class CommandResult:
    """A finished command line."""

    code: int
    out: str
    err: str

    @property
    def step(self) -> str:
        """The gate that closed, or the step that was under way."""
        closed = [line.split()[1] for line in self.err.splitlines() if "✘ CLOSED" in line]
        started = [line.split()[1] for line in self.err.splitlines() if " ▶ " in line]
        return (closed or started or ["before the first step"])[-1]

    @property
    def message(self) -> str:
        """What the error says: its first line, then the reasons."""
        lines = self.err[self.err.rfind("\nautoclave: ") + 1 :].splitlines()
        return "\n".join(line.strip() for line in lines if line)


@dataclass
class Repository:
    """One device repository of a test."""

    folder: Path
    home: Path
    port: int = 0
    more: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, **variables: str) -> CommandResult:
        """Run the command line here and return what came of it. Never a traceback."""
        process = subprocess.run(
            [sys.executable, "-m", "autoclave", *words],
            cwd=self.folder,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert "Traceback" not in process.stderr, process.stderr
        return CommandResult(process.returncode, process.stdout, process.stderr)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of every command here: its own keys, the real tools."""
        for name in real_trivy.VARIABLES:
            assert os.environ.get(name), f"{name} is not set: run ./check, or eval setup/exports.sh"
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "XDG_CONFIG_HOME": str(self.home), **self.more}

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text in a file of the repository; the text must be there."""
        path = self.folder / name
        text = path.read_text("utf-8")
        assert old in text, f"{old!r} is not in {name}"
        path.write_text(text.replace(old, new), "utf-8")

    def commit(self) -> None:
        """Commit everything."""
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "-q", "--allow-empty", "-m", "test")

    @property
    def name(self) -> str:
        """The device's name."""
        return (self.folder / "autoclave.toml").read_text("utf-8").split('name = "')[1].split('"')[0]

    @property
    def index(self) -> dict[str, Any]:
        """The store's index."""
        loaded: dict[str, Any] = json.loads((self.store / "index.json").read_text("utf-8"))
        return loaded

    @property
    def store(self) -> Path:
        """The store's folder."""
        return self.folder / ".autoclave" / "store"

    @property
    def image_digest(self) -> str:
        """The digest of the image `app` that was built last."""
        names = {
            each.get("annotations", {}).get("org.opencontainers.image.ref.name", ""): each["digest"]
            for each in self.index["manifests"]
        }
        return str(names["app"])

    def signatures(self) -> list[str]:
        """The names of all release signatures in the store."""
        names = [
            each.get("annotations", {}).get("org.opencontainers.image.ref.name", "")
            for each in self.index["manifests"]
        ]
        return [name for name in names if name.endswith(".sig")]

    def containers(self) -> list[Any]:
        """Every container of this device, running or not."""
        labels = {"label": f"dev.autoclave.device={self.name}"}
        found: list[Any] = docker.from_env().containers.list(all=True, filters=labels, ignore_removed=True)
        return found

    def remove(self) -> None:
        """Remove what this device left in the engine."""
        client = docker.from_env()
        for container in self.containers():
            with _ignore_removed():
                container.remove(force=True, v=True)
        ours = {"label": f"dev.autoclave.device={self.name}"}
        for volume in client.volumes.list(filters=ours):
            volume.remove(force=True)
        for network in client.networks.list(filters=ours):
            network.remove()
        client.close()


@contextlib.contextmanager
def _ignore_removed() -> Iterator[None]:
    """Ignore that it is removed by something else: by an interrupted run, or by the engine itself."""
    try:
        yield
    except docker.errors.APIError as error:
        if error.status_code not in {404, 409}:
            raise


def copy_device(source: Path, folder: Path, *, name: str) -> Repository:
    """Copy a sample into a git repository of its own, under a name of this worker and on a free port."""
    name = own_name(name)
    device = folder / "device"
    shutil.copytree(source, device, ignore=shutil.ignore_patterns(".autoclave", "__pycache__"))
    repository = Repository(device, folder / "home", free_port())
    file = device / "autoclave.toml"
    lines = file.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.startswith("name = ") and "[device]" in lines[:number]:
            lines[number] = f'name = "{name}"'
            break
    text = "\n".join(lines) + "\n"
    for port in ("18080", "18081", "18082", "18083"):
        text = text.replace(port, str(repository.port))
    file.write_text(text, "utf-8")
    git(device, "init", "-q")
    repository.commit()
    return repository


def git(folder: Path, *words: str) -> None:
    """Run git in a folder, with an author for tests."""
    person = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *person, *words], check=True, capture_output=True)


def own_name(name: str) -> str:
    """Return the name under which this worker process has a device; workers beside it have others."""
    worker = worker_results.worker()
    return f"{name}-{worker}" if worker else name


# Below the ports that the kernel assigns, and different for each worker: a port that
# was free when it was chosen is still free when a container takes it.
_PORTS_A_WORKER = 1200
_next_port = itertools.count(os.getpid() * 37)  # not where another run on this machine begins


def free_port() -> int:
    """Return a port of this worker on which nothing listens, and which was not returned before."""
    first = 18200 + int(worker_results.worker().removeprefix("w") or 0) * _PORTS_A_WORKER
    for number in _next_port:
        port = first + number % _PORTS_A_WORKER
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise AssertionError("never")


def program(name: str, variable: str = "") -> str:
    """Return a real program. Fails, never skips."""
    path = os.environ.get(variable) if variable else shutil.which(name)
    assert path, f"{variable or name} is missing: ./check brings it"
    return path
