"""`autoclave init` writes into the repository, and never through a link out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave.cli.commands import init
from autoclave.errors import AutoclaveError, ConfigError, SourceError


@pytest.fixture
def device(tmp_path: Path) -> Path:
    made = tmp_path / "device"
    (made / "backend").mkdir(parents=True)
    (made / "Dockerfile").write_text("FROM x\n")
    (made / "backend" / "Dockerfile").write_text("FROM node:22\nCOPY . /app\n")
    (made / "backend" / "package.json").write_text("{}")
    return made


def contents(folder: Path) -> dict[Path, bytes]:
    """Return everything in a folder: where a link leads, or what a file has."""
    return {
        path: str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_a_start_has_the_images_and_the_ignore_files(device: Path) -> None:
    (device / ".gitignore").write_bytes(b"*.pyc\n\xff")
    (device / ".dockerignore").write_text(".autoclave/\n")
    (device / "deploy.yaml").write_text("apiVersion: v1\nkind: Service\n")
    (device / "tests").mkdir()
    (device / "tests" / "test_alarm.py").write_text("")
    (device / "requirements.txt").write_text("pytest==9.0.1\n")
    assert init.run(device) == 0
    text = (device / "autoclave.toml").read_text()
    assert 'context = "backend"' in text
    assert 'copy = ["tests"]' in text
    assert 'manifests = ["deploy.yaml"]' in text
    assert (device / ".gitignore").read_bytes() == b"*.pyc\n\xff\n.autoclave/\n"
    assert (device / ".dockerignore").read_text() == ".autoclave/\n"
    # The store is not in this context; what its own tools write there is.
    assert (device / "backend" / ".dockerignore").read_text() == "node_modules\n"
    with pytest.raises(ConfigError, match="exists already"):
        init.run(device)


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("name", [".gitignore", ".dockerignore", "backend/.dockerignore", "autoclave.toml"])
def test_no_file_is_written_through_a_link(device: Path, tmp_path: Path, name: str, there: bool) -> None:
    victim = tmp_path / "victim"
    if there:
        victim.write_text("alias ll=ls\n")
    (device / name).symlink_to(victim)
    before = contents(tmp_path)
    with pytest.raises((SourceError, ConfigError), match=r"is a link|exists already"):
        init.run(device)
    assert contents(tmp_path) == before


def test_the_file_of_a_host_is_not_written_through_a_link(device: Path, tmp_path: Path) -> None:
    (device / ".gitlab-ci.yml").symlink_to(tmp_path / "victim")
    with pytest.raises(AutoclaveError, match="exists already"):
        init.run(device, init.Answers(host="gitlab"))
    assert not (tmp_path / "victim").exists()


def test_what_a_link_leads_to_is_not_looked_at(device: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "Dockerfile").write_text("FROM secret\n")
    (device / "linked").symlink_to(tmp_path / "outside")
    (device / "loop").symlink_to(".")
    init.run(device)
    assert "linked" not in (device / "autoclave.toml").read_text()
