"""A GitLab of bare repositories, and devices in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builders.devices import KNOWN_BAD, Repository, copy_device
from doubles import gitlab_double
from doubles.gitlab_double import Token
from pipelines.gitlab_local import JOB_TOKEN, PROJECT_TOKEN, WHOLE_FLOW, GitLab


@pytest.fixture(scope="session")
def gitlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitLab]:
    """The server with our templates."""
    with gitlab_double.serve() as api:
        api.users = {7: "autoclave-bot", 8: "ann"}
        api.tokens = {PROJECT_TOKEN: Token(7), JOB_TOKEN: Token(8, job=True)}
        yield GitLab(tmp_path_factory.mktemp("gitlab"), api)
        assert api.violations == []


@pytest.fixture(scope="session")
def known_bad(
    gitlab: GitLab, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Repository]]:
    """Projects of known-bad devices with the one include, for tests that try other CI files on one commit."""
    made: dict[str, Repository] = {}

    def get(sample: str) -> Repository:
        if sample not in made:
            folder = tmp_path_factory.mktemp(sample)
            made[sample] = copy_device(KNOWN_BAD / sample, folder, name=f"t-gl-one-{sample}")
            gitlab.device(made[sample], WHOLE_FLOW)
        return made[sample]

    yield get
    for repository in made.values():
        repository.remove()


@pytest.fixture(scope="session")
def control(known_bad: Callable[[str], Repository]) -> Repository:
    """The project of the good one among the known-bad devices. Tests change none of its files."""
    return known_bad("control")


@pytest.fixture
def device(gitlab: GitLab, tmp_path: Path) -> Iterator[Callable[[str, str], Repository]]:
    """Make a project of a known-bad device (or of the good one, `control`) with a CI file."""
    made: list[Repository] = []

    def make(sample: str, ci: str) -> Repository:
        folder = tmp_path / f"{len(made)}"
        repository = copy_device(KNOWN_BAD / sample, folder, name=f"t-gl-{sample}"[:40].rstrip("-"))
        made.append(repository)
        gitlab.device(repository, ci)
        return repository

    yield make
    for repository in made:
        repository.remove()
