"""A release is deployed as it was signed: from a folder with nothing in it, whatever a checkout says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.devices import KNOWN_BAD, CommandResult, Repository
from builders.prepared_devices import prepare


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[Repository]:
    """The well-behaved device, signed."""
    with prepare(KNOWN_BAD / "control", tmp_path, to="sign") as repository:
        yield repository


def sign(repository: Repository) -> str:
    """Sign what is there and return the release's digest."""
    done = repository.run("sign")
    assert done.code == 0, done.err
    return done.err.rpartition("release ")[2].split()[0]


def run_elsewhere(repository: Repository, folder: Path, *words: str) -> CommandResult:
    """Run a command in another folder, with the device's store and keys and nothing else of it."""
    folder.mkdir(exist_ok=True)
    process = subprocess.run(
        [sys.executable, "-m", "autoclave", *words, "--store", str(repository.store)],
        cwd=folder,
        env=repository.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "Traceback" not in process.stderr
    return CommandResult(process.returncode, process.stdout, process.stderr)


def test_a_release_is_deployed_from_an_empty_folder(signed: Repository, tmp_path: Path) -> None:
    release, empty = sign(signed), tmp_path / "empty"
    done = run_elsewhere(signed, empty, "deploy", "staging", "--release", release)
    assert done.code == 0, done.err
    assert f"app: {signed.image_digest} runs and is healthy" in done.err
    assert [each.name for each in empty.iterdir()] in ([], [".autoclave"])
    status = run_elsewhere(signed, empty, "status", "--release", release)
    assert status.code == 0, status.err
    assert f"{signed.image_digest} healthy, verifies" in status.out
    again = run_elsewhere(signed, empty, "deploy", "staging", "--release", release)
    assert "exactly these digests run there, verified and healthy" in again.err
    shown = signed.run("show", signed.image_digest, "deployment")
    assert f'"release": "{release}"' in shown.out


def test_what_is_edited_after_the_signature_changes_nothing(signed: Repository, tmp_path: Path) -> None:
    release = sign(signed)
    signed.edit("autoclave.toml", 'safety-class = "B"', 'safety-class = "A"')
    signed.edit("autoclave.toml", 'memory = "64m"\nstart', 'memory = "512m"\nstart')
    with (signed.folder / "autoclave.toml").open("a", encoding="utf-8") as file:
        file.write('[[environment]]\nname = "clinic"\n')
    signed.commit()
    done = signed.run("deploy", "staging")
    assert done.code == 0, done.err
    assert "autoclave.toml here is not that of release" in done.err
    (container,) = signed.containers()
    assert container.attrs["HostConfig"]["Memory"] == 64 << 20
    unknown = signed.run("deploy", "clinic", "--release", release)
    assert unknown.code == 10, unknown.err
    assert "the device has no environment 'clinic'" in unknown.message
    text = signed.run("approve", "staging", "--dry-run")
    assert "(IEC 62304 class B) TO staging" in text.out
    assert "service.app.memory = 64m" in text.out


def test_another_release_is_approved_by_what_it_changes(signed: Repository) -> None:
    assert signed.run("deploy", "staging").code == 0
    signed.edit("autoclave.toml", 'memory = "64m"\nstart', 'memory = "96m"\nstart')
    signed.commit()
    built = signed.run("run", "--to", "build")
    assert built.code == 0, built.err
    unsigned = signed.run("deploy", "staging")
    assert unsigned.code == 25, unsigned.err
    assert "was built after release" in unsigned.message
    nothing = signed.run("approve", "staging", "--dry-run")
    assert nothing.code == 44, nothing.err
    signed_anew = signed.run("run", "--to", "sign")
    assert signed_anew.code == 0, signed_anew.err
    text = signed.run("approve", "staging", "--dry-run")
    assert text.code == 0, text.err
    assert "service.app.memory: 64m → 96m" in text.out


def test_what_is_no_release_is_refused(signed: Repository) -> None:
    sign(signed)
    image = signed.run("deploy", "staging", "--release", signed.image_digest)
    assert image.code == 40, image.err
    assert "is not a release" in image.message
    missing = signed.run("deploy", "staging", "--release", f"sha256:{'0' * 64}")
    assert missing.code == 40, missing.err
    assert "the store has no release" in missing.message
    stranger = signed.run(
        "deploy", "staging", "--digest", f"app={signed.image_digest},db={'sha256:' + '0' * 64}"
    )
    assert stranger.code == 40, stranger.err
    assert not signed.containers()
