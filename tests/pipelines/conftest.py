"""A GitLab of bare repositories, and devices in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.devices import KNOWN_BAD, Repository, copied
from pipelines.gitlab_local import GitLab


@pytest.fixture(scope="session")
def gitlab(tmp_path_factory: pytest.TempPathFactory) -> GitLab:
    """The server with our templates."""
    return GitLab(tmp_path_factory.mktemp("gitlab"))


@pytest.fixture
def device(gitlab: GitLab, tmp_path: Path) -> Iterator[Callable[[str, str], Repository]]:
    """Make a project of a known-bad device (or of the good one, `control`) with a CI file."""
    made: list[Repository] = []

    def make(sample: str, ci: str) -> Repository:
        folder = tmp_path / f"{len(made)}"
        repository = copied(KNOWN_BAD / sample, folder, name=f"t-gl-{sample}"[:40].rstrip("-"))
        made.append(repository)
        gitlab.device(repository, ci)
        return repository

    yield make
    for repository in made:
        repository.remove()
