"""Secrets of a deployed container come from the operator's folder, and from nowhere in the repository."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from autoclave.targets.base import Unhealthy
from autoclave.targets.docker import secrets
from autoclave.targets.docker.secrets import Secrets


class Engine:
    def __init__(self) -> None:
        self.given: dict[str, tuple[str, dict[str, tuple[int, bytes]]]] = {}

    def put(self, container: str, folder: str, archive: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            found = {each.name: (each.mode, tar.extractfile(each).read()) for each in tar}  # type: ignore[union-attr]
        self.given[container] = folder, found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "device").mkdir()
    (tmp_path / "device" / "autoclave.toml").write_text("")
    made = tmp_path / "secrets"
    made.mkdir()
    (made / "password").write_bytes(b"s3cret\n")
    return made


def of(engine: Engine, folder: Path | str) -> Secrets:
    device = Path(folder).parent / "device" if folder else Path()
    return Secrets(engine, str(folder), device)  # type: ignore[arg-type]


def test_a_container_gets_its_secrets_as_files_that_its_user_can_read(folder: Path) -> None:
    engine = Engine()
    (folder / "linked").symlink_to("password")  # as a cluster mounts them
    found = of(engine, folder)
    assert list(found.find_missing("app", ["password", "linked"])) == []
    found.put("c", ["password", "linked"])
    value = (0o444, b"s3cret\n")
    assert engine.given == {"c": ("/run/secrets", {"password": value, "linked": value})}


def test_who_needs_none_gets_none(folder: Path) -> None:
    engine = Engine()
    of(engine, "").put("c", [])
    assert engine.given == {}
    assert list(of(engine, "").find_missing("app", [])) == []


def test_what_was_rehearsed_is_what_runs(folder: Path) -> None:
    engine = Engine()
    found = of(engine, folder)
    found.put("candidate", ["password"])
    (folder / "password").unlink()
    found.put("app", ["password"])
    assert engine.given["app"] == engine.given["candidate"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "cannot be read (No such file or directory)"),
        (lambda path: path.mkdir(), "cannot be read (Is a directory)"),
        (os.mkfifo, "is not a file"),
        (lambda path: path.write_bytes(b"x" * 11), "has more than"),
        (lambda path: path.symlink_to("nowhere"), "cannot be read"),
    ],
)
def test_a_secret_that_cannot_be_read_objects(
    folder: Path, make: object, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "_LARGEST", 10)
    make(folder / "token")  # type: ignore[operator]
    found = of(Engine(), folder)
    (reason,) = found.find_missing("app", ["password", "token"])
    assert "app needs the secret token" in reason
    assert says in reason
    with pytest.raises(Unhealthy, match="cannot have its secrets"):
        found.put("c", ["token"])


def test_without_a_folder_the_reason_says_how_to_name_one() -> None:
    (reason,) = of(Engine(), "").find_missing("app", ["a", "b"])
    assert reason == "app needs the secrets a, b: name the folder that has a file for each with --secrets"


def test_the_repository_is_no_place_for_secrets(folder: Path) -> None:
    inside = folder.parent / "device" / "secrets"
    inside.mkdir()
    (inside / "password").write_text("x")
    found = Secrets(Engine(), str(inside), folder.parent / "device")  # type: ignore[arg-type]
    (reason,) = found.find_missing("app", ["password"])
    assert "is in the device repository" in reason
