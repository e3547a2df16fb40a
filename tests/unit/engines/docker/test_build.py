"""The build command."""

from __future__ import annotations

from pathlib import Path

from autoclave.engines.base import BuildRequest
from autoclave.engines.docker.build import Client, command


def test_secrets_of_a_build_are_never_in_its_command() -> None:
    request = BuildRequest(
        folder=Path("/d"),
        context=Path(),
        dockerfile=Path("Dockerfile"),
        args={"A": "$(rm -rf /); 'x'\n-y"},
        secrets={"pip": "PIP_TOKEN"},
        source_date_epoch=7,
    )
    argv = command(Client("docker", "buildkit"), request)
    assert "id=pip,env=PIP_TOKEN" in argv
    assert "A=$(rm -rf /); 'x'\n-y" in argv
    assert "SOURCE_DATE_EPOCH=7" in argv
    assert not any("SOURCE_DATE" in word for word in command(Client("docker", "classic"), request))
