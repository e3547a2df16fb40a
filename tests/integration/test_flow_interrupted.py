"""A run that is stopped or dies leaves nothing behind, and the next one takes up where it ended."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from builders.devices import KNOWN_BAD, Repository
from builders.flow import (
    containers_of_image,
    containers_of_process,
    device,
    interrupt,
    start_command,
    wait_until,
)
from builders.prepared_devices import prepare


def waits_in_its_test(repository: Repository) -> None:
    """Give the hanging test all the time it wants."""
    repository.edit("autoclave.toml", "timeout = 3\n", "timeout = 300\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", [["run"], ["unit-test"]], ids=["run", "unit-test"])
def test_a_stopped_run_leaves_no_container(number: signal.Signals, words: list[str], tmp_path: Path) -> None:
    with prepare(KNOWN_BAD / "hanging-test", tmp_path, to="build", change=waits_in_its_test) as repository:
        with start_command(repository, *words) as process:
            wait_until(
                "the test container runs",
                lambda: [c for c in containers_of_process(process) if c.status == "running"],
            )
            done = interrupt(process, number)
            assert done.code == 130, done.err
            assert "autoclave: stopped" in done.err
            assert containers_of_process(process) == []
        assert repository.signatures() == []


def test_a_killed_run_is_cleaned_up_and_resumed(tmp_path: Path) -> None:
    with device(KNOWN_BAD / "hanging-test", tmp_path, name="t-killed") as repository:
        waits_in_its_test(repository)
        repository.commit()
        with start_command(repository, "run") as process:
            wait_until(
                "the test container runs",
                lambda: [c for c in containers_of_process(process) if c.status == "running"],
            )
            interrupt(process, signal.SIGKILL)
            (left,) = containers_of_process(process)
            held = repository.run("build")
            assert "↷ skipped" in held.err, held.err
            for name in ("tests/check.py", "requirements.csv", "soup.toml"):
                shutil.copyfile(KNOWN_BAD / "control" / name, repository.folder / name)
            files = 'requirements = "requirements.csv"\nsoup = "soup.toml"\n'
            repository.edit("autoclave.toml", 'safety-class = "B"\n', f'safety-class = "B"\n{files}')
            repository.commit()
            resumed = repository.run("run")
            assert resumed.code == 0, resumed.err
            assert f"removed {left.name}, left behind by a run that crashed" in resumed.err
            assert containers_of_process(process) == []
        assert len(repository.containers()) == 1
        assert len(repository.signatures()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_deployment_that_is_cut_off_can_be_repeated(number: signal.Signals, tmp_path: Path) -> None:
    with prepare(KNOWN_BAD / "control", tmp_path, to="sign") as repository:
        assert repository.run("run").code == 0
        with start_command(repository, "deploy", "staging", "--again") as process:
            wait_until("the candidate is there", lambda: containers_of_process(process))
            done = interrupt(process, number)
            assert done.code == (130 if number is signal.SIGINT else -signal.SIGKILL)
            if number is signal.SIGINT:
                assert containers_of_process(process) == []
        assert repository.run("status").code == 0
        # The lock of a dead process is taken over.
        again = repository.run("deploy", "staging", "--again")
        assert again.code == 0, again.err
        assert repository.run("status").code == 0
        assert len(repository.containers()) == 1


def test_a_kept_container_is_removed_when_its_run_is_stopped(tmp_path: Path) -> None:
    with prepare(KNOWN_BAD / "hanging-test", tmp_path, to="build", change=waits_in_its_test) as repository:
        built = repository.run("build")
        assert built.code == 0
        manifest = json.loads((repository.store / "blobs/sha256" / built.out.split()[1][7:]).read_bytes())
        image = manifest["config"]["digest"]
        with start_command(repository, "unit-test", "--keep") as process:
            wait_until(
                "the test container runs",
                lambda: [c for c in containers_of_image(image) if c.status == "running"],
            )
            done = interrupt(process, signal.SIGINT)
        left = containers_of_image(image)
        for container in left:
            container.remove(force=True, v=True)
        assert done.code == 130, done.err
        assert left == []
