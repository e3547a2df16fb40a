"""A deployment that died in the middle of switching over does not cost the version that ran before."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from typing import Any

import docker
import pytest

from builders.devices import KNOWN_BAD, Repository
from builders.prepared_devices import prepare


def leave_as_after_a_crash(running: Any, *, new_one_made: bool) -> None:
    """Leave the engine as a deployment does that is killed in the middle of switching over."""
    name, image = running.name, running.attrs["Image"]
    labels = running.labels
    running.rename(f"{name}_previous")
    running.stop()
    if new_one_made:
        client = docker.from_env()
        client.containers.create(image, name=name, labels=labels)
        client.close()


def answer(repository: Repository) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{repository.port}/", timeout=5) as got:
        return bytes(got.read())


@pytest.mark.parametrize("new_one_made", [False, True], ids=["before-create", "after-create"])
def test_the_version_before_a_crash_is_brought_back(new_one_made: bool, tmp_path: Path) -> None:
    with prepare(KNOWN_BAD / "unhealthy-version", tmp_path, to="sign") as repository:
        assert repository.run("run").code == 0
        good = repository.run("status").out
        (running,) = repository.containers()
        leave_as_after_a_crash(running, new_one_made=new_one_made)
        assert repository.run("status").out != good
        repository.edit("autoclave.toml", "1.0.0", "2.0.0")
        repository.commit()
        failed = repository.run("run")
        assert failed.code == 50, failed.err
        assert "an earlier deployment died; restored sha256:" in failed.err
        assert "did not become healthy" in failed.message
        assert b"1.0.0" in answer(repository)
        assert repository.run("status").out == good
        assert len(repository.containers()) == 1
