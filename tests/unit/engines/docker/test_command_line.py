"""Docker's own words: what a plan hashes, and what a person pastes."""

from __future__ import annotations

from pathlib import Path

from autoclave.engines.base import BuildRequest
from autoclave.engines.docker import DockerEngine
from autoclave.engines.docker.build import Client


def engine(program: str) -> DockerEngine:
    made = DockerEngine.__new__(DockerEngine)  # without a connection
    made._client = Client(program, "buildkit")
    return made


def test_a_plan_is_the_same_wherever_the_client_is() -> None:
    request = BuildRequest(
        folder=Path("/device"), context=Path(), dockerfile=Path("Dockerfile"), target="app"
    )
    here = engine("/usr/bin/docker").build_arguments(request)
    assert here == engine("/opt/docker/bin/docker").build_arguments(request)
    assert here == ["build", "--file", "Dockerfile", "--progress", "plain", "--target", "app", "."]


def test_a_line_to_paste_is_quoted() -> None:
    assert engine("/usr/bin/docker").command_line("rm", "-v", "a b") == "docker rm -v 'a b'"
