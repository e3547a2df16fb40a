"""The build command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autoclave.engines.base import BuildRequest
from autoclave.engines.docker.build import Client, _configure, command
from autoclave.errors import ConfigError
from autoclave.runtime.shell import Shell


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


PROXIES = {"default": {"httpProxy": "http://ci:s3cr3t%2Dpw@proxy.example:3128", "noProxy": "localhost"}}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "docker"
    (folder / "contexts").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"proxies": PROXIES, "credsStore": "pass"}))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder


def request(**more: object) -> BuildRequest:
    return BuildRequest(folder=Path("/d"), context=Path(), dockerfile=Path("Dockerfile"), **more)  # type: ignore[arg-type]


def test_proxies_of_the_client_do_not_enter_a_build(client: Path, tmp_path: Path) -> None:
    made = Path(_configure(request(), tmp_path, Shell())["DOCKER_CONFIG"])
    assert json.loads((made / "config.json").read_bytes()) == {"credsStore": "pass"}
    assert (made / "contexts").is_symlink()
    assert (made / "config.json").stat().st_mode & 0o077 == 0


def test_a_relative_folder_of_the_client_is_found_from_elsewhere(
    client: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_CONFIG", client.name)
    made = Path(_configure(request(), tmp_path, Shell())["DOCKER_CONFIG"])
    assert (made / "contexts").resolve() == client / "contexts"


def test_proxies_that_the_device_asks_for_are_masked(client: Path, tmp_path: Path) -> None:
    shell = Shell()
    assert _configure(request(client_proxy=True), tmp_path, shell) == {}
    for text in ("s3cr3t%2Dpw", "s3cr3t-pw", "ci:s3cr3t%2Dpw"):
        assert shell.mask(f"a {text} b") == "a [masked] b"


def test_a_client_without_proxies_is_left_alone(client: Path, tmp_path: Path) -> None:
    (client / "config.json").write_text("{}")
    assert _configure(request(), tmp_path, Shell()) == {}
    (client / "config.json").unlink()
    assert _configure(request(), tmp_path, Shell()) == {}
    for text in ("[]", "{"):
        (client / "config.json").write_text(text)
        with pytest.raises(ConfigError, match=r"config\.json"):
            _configure(request(), tmp_path, Shell())
