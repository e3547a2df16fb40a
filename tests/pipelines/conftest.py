"""A GitLab of bare repositories, and devices in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from doubles import gitlab_double
from doubles.gitlab_double import Token
from doubles.gitlab_state import Project
from integration.devices import KNOWN_BAD, Repository, copied
from pipelines.gitlab_local import JOB_TOKEN, MERGE_REQUEST, PROJECT, PROJECT_TOKEN, GitLab


@pytest.fixture(scope="session")
def gitlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitLab]:
    """The server with our templates."""
    with gitlab_double.running() as api:
        api.users = {7: "autoclave-bot", 8: "ann"}
        api.tokens = {PROJECT_TOKEN: Token(7), JOB_TOKEN: Token(8, job=True)}
        api.projects = {
            PROJECT: Project(PROJECT, "devices/sample", notes={MERGE_REQUEST: []}, tags={"v1.4.0"})
        }
        yield GitLab(tmp_path_factory.mktemp("gitlab"), api)
        assert api.violations == []


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
