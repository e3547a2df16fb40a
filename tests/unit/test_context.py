"""What a command works with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoclave.context import open_state
from autoclave.errors import SourceError


def test_the_state_folder_of_a_device_is_made_and_ignored_by_git(tmp_path: Path) -> None:
    open_state(tmp_path)
    assert (tmp_path / ".autoclave" / ".gitignore").read_text() == "*\n"


def test_one_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".autoclave").mkdir()
    assert open_state(tmp_path).names() == []


@pytest.mark.parametrize("there", [True, False])
def test_a_link_as_the_state_folder_is_refused_and_nothing_is_made_behind_it(
    tmp_path: Path, there: bool
) -> None:
    (tmp_path / "device").mkdir()
    if there:
        (tmp_path / "victim").mkdir()
    (tmp_path / "device" / ".autoclave").symlink_to("../victim")
    with pytest.raises(SourceError, match=r"\.autoclave is a link"):
        open_state(tmp_path / "device")
    assert list(tmp_path.glob("victim/*")) == []


def test_a_file_as_the_state_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".autoclave").touch()
    with pytest.raises(SourceError, match="is a plain file, and not a folder"):
        open_state(tmp_path)


def test_the_state_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_state(tmp_path)
    uid = os.getuid()
    monkeypatch.setattr("autoclave.context.os.geteuid", lambda: uid + 1)
    open_state(tmp_path)  # the owner of the device folder owns it
    status = os.stat_result((0o40755, 0, 0, 1, uid + 2, 0, 0, 0, 0, 0))
    monkeypatch.setattr("autoclave.context.os.fstat", lambda _: status)
    with pytest.raises(SourceError, match="belongs to another user"):
        open_state(tmp_path)
