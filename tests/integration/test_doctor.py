"""`autoclave doctor` as the first command: without rights, without a device, from a folder below."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from builders.devices import SAMPLE, Repository, copy_device

WITHOUT_RIGHTS = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
"""Root, whom the mode of a file stops as any other user."""
NOBODY = 65534


def run(folder: Path, *start: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run doctor in a folder, without the variables of a home."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HOME", "XDG_", "AUTOCLAVE_"))
    }
    argv = [*start, sys.executable, "-P", "-m", "autoclave", "doctor"]
    return subprocess.run(
        argv, cwd=folder, env=kept | variables, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_user_without_rights_on_the_socket_is_told_the_group(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        path.chmod(0o660)
        os.chown(path, NOBODY, NOBODY)
        done = run(tmp_path, *WITHOUT_RIGHTS, DOCKER_HOST=f"unix://{path}")
    assert done.returncode == 60
    assert f"root may not use {path}, which is for members of the group nogroup" in done.stdout
    assert "fix: sudo usermod -aG nogroup root" in done.stdout
    assert "Traceback" not in done.stderr


def test_without_device_repository_and_home_it_says_what_is_there(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert "✔ device    no autoclave.toml" in done.stdout
    assert "✔ engine    docker" in done.stdout
    assert "✔ git       installed; no repository here" in done.stdout
    assert "Traceback" not in done.stderr


def test_from_a_folder_below_the_device_is_found(tmp_path: Path) -> None:
    repository = copy_device(SAMPLE, tmp_path, name="t-doctor-below")
    below = Repository(repository.folder / "tests", repository.home)
    done = below.run("doctor")
    assert f"{repository.name} 1.4.0, class B, in {repository.folder}" in done.out
    assert "✔ git       commit " in done.out
    assert not (repository.folder / "tests" / ".autoclave").exists()


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir(mode=0o755)
    os.chown(foreign, NOBODY, NOBODY)
    done = run(tmp_path, *WITHOUT_RIGHTS, HOME=str(foreign / "home"))
    assert done.returncode == 60
    assert f"✘ keys      no development keys can be made in {foreign}/home/.config" in done.stdout
    assert "fix: set HOME to a folder that can be written" in done.stdout
