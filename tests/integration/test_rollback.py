"""A rollback on a container engine: the previous version answers again, and the record says why."""

from __future__ import annotations

import urllib.request
from pathlib import Path

from builders.devices import KNOWN_BAD, Repository
from builders.prepared_devices import prepare

WHY = "alarms come late since 1.1.0"


def answer(repository: Repository) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{repository.port}/", timeout=5) as got:
        return bytes(got.read())


def test_the_previous_version_is_restored_with_a_reason(tmp_path: Path) -> None:
    with prepare(KNOWN_BAD / "unhealthy-version", tmp_path, to="sign") as repository:
        assert repository.run("run").code == 0
        nothing = repository.run("rollback", "staging", "--reason", WHY)
        assert nothing.code == 52, nothing.err
        former = repository.run("status").out.split()[2]
        repository.edit("autoclave.toml", "1.0.0", "1.1.0")
        repository.commit()
        assert repository.run("run").code == 0
        assert b"1.1.0" in answer(repository)
        assert repository.run("rollback", "staging").code == 2
        back = repository.run("rollback", "staging", "--reason", WHY)
        assert back.code == 0, back.err
        assert b"1.0.0" in answer(repository)
        assert back.out.split() == ["app", former]
        assert WHY in repository.run("show", former, "deployment").out
        again = repository.run("rollback", "staging", "--reason", WHY)
        assert again.code == 52, again.err
