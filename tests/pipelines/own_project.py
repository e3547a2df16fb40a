"""This very repository as a device: what is tracked here, as one commit of a repository of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker

from autoclave.engines.base import BuildRequest
from autoclave.engines.docker import DockerEngine
from autoclave.runtime.shell import Shell
from builders.devices import ROOT, Repository, git, own_name


@contextmanager
def project(folder: Path) -> Iterator[Repository]:
    """Make a repository of this one's files, as they are now."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    device = folder / "project"
    for name in filter(None, listed.split("\0")):
        (device / name).parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # removed, but not committed; or a file that a test beside us had
            shutil.copy2(ROOT / name, device / name)
    repository = Repository(device, folder / "home")
    git(device, "init", "-q", "-b", "main")
    repository.commit()
    try:
        yield repository
    finally:
        repository.remove()


@contextmanager
def step_image(folder: Path) -> Iterator[str]:
    """Build the step image of this repository's files, and give it a tag for a while."""
    subprocess.run([ROOT / "setup" / "step-tools.sh"], check=True, capture_output=True)
    with project(folder) as repository:
        recipe = Path("pipelines/image/Dockerfile")
        request = BuildRequest(folder=repository.folder, context=Path(), dockerfile=recipe, target="release")
        built = DockerEngine(Shell()).build(request, lambda _: None)
    client = docker.from_env()
    tag = own_name("t-step-image")
    assert client.images.get(built).tag(tag, "0.1.0")
    yield f"{tag}:0.1.0"
    client.images.remove(f"{tag}:0.1.0", noprune=True)
    client.close()
