"""The sample in a fresh clone: a person debugging runs the steps one by one."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from builders.devices import KNOWN_BAD, SAMPLE, Repository
from builders.flow import device


def test_each_step_alone_in_a_fresh_clone(tmp_path: Path) -> None:
    with device(SAMPLE, tmp_path / "origin", name="t-clone") as origin:
        folder = tmp_path / "clone"
        subprocess.run(["git", "clone", "-q", str(origin.folder), str(folder)], check=True)
        clone = Repository(folder, tmp_path / "home", origin.port)
        printed = set()
        for words in (["build"], ["unit-test"], ["scan"], ["sign"], ["deploy", "staging"]):
            done = clone.run(*words)
            assert done.code == 0, done.err
            assert "work tree" not in done.err
            printed.add(done.out)
        ((name, digest),) = (line.split() for line in printed)
        assert name == "gateway"
        (container,) = clone.containers()
        manifest = json.loads((clone.store / "blobs" / "sha256" / digest[7:]).read_bytes())
        assert container.attrs["Image"] == manifest["config"]["digest"]
        # What git says of the clone is unchanged: the store is ignored.
        said = subprocess.run(
            ["git", "-C", str(folder), "status", "--short"], capture_output=True, check=True
        )
        assert said.stdout == b""


def test_a_step_that_holds_can_be_forced(tmp_path: Path) -> None:
    with device(KNOWN_BAD / "control", tmp_path, name="t-again") as repository:
        first = repository.run("run", "--to", "sign", "--json")
        assert first.code == 0, first.err
        events = [json.loads(line) for line in first.out.splitlines()]
        passed = {each["step"] for each in events if each["event"] == "verdict" and each["passed"]}
        assert passed == {"build", "unit-test", "scan", "sign"}
        forced = repository.run("run", "--to", "sign", "--again-step", "scan")
        assert forced.code == 0, forced.err
        skipped = {line.split()[1] for line in forced.err.splitlines() if "↷ skipped" in line}
        assert {"build", "unit-test"} <= skipped
        assert "scan" not in skipped


def test_an_unknown_key_in_the_device_file_is_refused(tmp_path: Path) -> None:
    with device(KNOWN_BAD / "control", tmp_path, name="t-unknown") as repository:
        repository.edit("autoclave.toml", "safety-class", "safety-clas")
        refused = repository.run("run")
        assert refused.code == 10
        assert "autoclave.toml" in refused.message
        assert "did you mean 'safety-class'?" in refused.message
        assert not repository.store.exists()
