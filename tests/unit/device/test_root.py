"""The device folder, found from any folder in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoclave.device.root import find_root


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git work tree with a device file at its top, and a device file above it that is somebody else's."""
    (tmp_path / "autoclave.toml").touch()
    top = tmp_path / "device"
    for name in ("objects", "refs"):
        (top / ".git" / name).mkdir(parents=True)
    (top / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (top / "autoclave.toml").touch()
    (top / "src" / "deep").mkdir(parents=True)
    return top


def test_from_a_folder_below_the_root_is_found(checkout: Path) -> None:
    for folder in (checkout, checkout / "src", checkout / "src" / "deep"):
        assert find_root(folder) == checkout


def test_the_nearest_device_file_counts(checkout: Path) -> None:
    (checkout / "src" / "autoclave.toml").touch()
    assert find_root(checkout / "src" / "deep") == checkout / "src"


def test_the_search_ends_at_the_work_tree(checkout: Path) -> None:
    (checkout / "autoclave.toml").unlink()
    assert find_root(checkout / "src") == checkout / "src"


def test_without_a_repository_only_the_folder_itself_counts(tmp_path: Path) -> None:
    (tmp_path / "autoclave.toml").touch()
    (tmp_path / "below").mkdir()
    assert find_root(tmp_path / "below") == tmp_path / "below"
    assert find_root(tmp_path) == tmp_path


def test_a_submodule_is_not_its_parent_s_device(checkout: Path) -> None:
    inner = checkout / "src"
    (inner / ".git" / "objects").mkdir(parents=True)
    (inner / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    assert find_root(inner / "deep") == inner / "deep"


def test_a_folder_of_another_user_is_not_entered(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in /tmp, where anybody can put a repository and a device file above everybody's folders."""
    own = os.stat_result((0o40755, 0, 0, 1, 1000, 0, 0, 0, 0, 0))
    foreign = os.stat_result((0o40755, 0, 0, 1, 1001, 0, 0, 0, 0, 0))
    real = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path in {checkout, checkout / "src"}:
            return foreign if path == checkout else own
        return real(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr("autoclave.device.root.os.geteuid", lambda: 1000)
    monkeypatch.setattr(Path, "stat", stat)
    assert find_root(checkout / "src") == checkout / "src"


def test_a_folder_named_as_the_file_is_none(checkout: Path) -> None:
    (checkout / "autoclave.toml").unlink()
    (checkout / "autoclave.toml").mkdir()
    assert find_root(checkout / "src") == checkout / "src"


def test_a_repository_that_cannot_be_read_finds_nothing(checkout: Path) -> None:
    (checkout / "src" / ".git").write_text("nonsense")
    assert find_root(checkout / "src") == checkout / "src"


def test_a_folder_that_does_not_exist_stays_as_it_is(checkout: Path) -> None:
    assert find_root(checkout / "src" / "none") == checkout / "src" / "none"
