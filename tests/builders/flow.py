"""What the tests of the good paths share: a device for a while, commands under way, real keys."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from autoclave.engines.base import OWNER_LABEL, RUN_LABEL
from builders.devices import CommandResult, Repository, copy_device

ROLES = {"steps": ("build", "unit-test", "scan", "deploy"), "release": ("release",)}


@contextmanager
def device(source: Path, folder: Path, *, name: str) -> Iterator[Repository]:
    """Copy a sample for the time of a test; whatever it left in the engine is removed."""
    repository = copy_device(source, folder, name=name)
    try:
        yield repository
    finally:
        repository.remove()


@contextmanager
def start_command(repository: Repository, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command line as the leader of a process group of its own, as a terminal does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "autoclave", *words],
        cwd=repository.folder,
        env=repository.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
        for container in containers_of_process(process):
            container.remove(force=True, v=True)


def interrupt(process: subprocess.Popen[str], number: signal.Signals) -> CommandResult:
    """Send a signal to the whole group, and return what came of the command."""
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err, err
    return CommandResult(process.returncode, out, err)


def containers_of_process(process: subprocess.Popen[str]) -> list[Any]:
    """Every container of the run, running or not, that this process made."""
    client = docker.from_env()
    found = client.containers.list(all=True, filters={"label": RUN_LABEL}, ignore_removed=True)
    client.close()
    return [each for each in found if each.labels.get(OWNER_LABEL, "").endswith(f":{process.pid}")]


def containers_of_image(image: str) -> list[Any]:
    """Every container of an image (by the engine's id), running or not."""
    client = docker.from_env()
    found: list[Any] = client.containers.list(all=True, filters={"ancestor": image}, ignore_removed=True)
    client.close()
    return found


def wait_until(what: str, condition: Callable[[], object], *, seconds: float = 90) -> None:
    """Wait until something is so; fail when it is not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds:g} s still not so: {what}"
        time.sleep(0.02)


def make_keys(folder: Path, roles: dict[str, Sequence[str]] | None = None) -> list[str]:
    """Make an organisation's keys and trust file; return the options that use them."""
    folder.mkdir()
    trust = ""
    for name, may in (roles or ROLES).items():
        key = ec.generate_private_key(ec.SECP256R1())
        private, public = folder / f"{name}.pem", folder / f"{name}.pub"
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        private.chmod(0o600)
        public.write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        trust += f'[[key]]\nname = "{name}"\npublic = "{public.name}"\nmay = {list(may)}\n'
    (folder / "trust.toml").write_text(trust, "utf-8")
    steps, release = folder / "steps.pem", folder / "release.pem"
    return [
        "--trust",
        str(folder / "trust.toml"),
        "--key",
        f"file:{steps}",
        "--release-key",
        f"file:{release}",
    ]
