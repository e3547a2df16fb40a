"""Decisions are files that people write and read: never through a link, and never waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoclave.actions import waive
from autoclave.console.json import JsonScreen
from autoclave.context import Context
from autoclave.errors import DecisionError, SourceError
from autoclave.release import decisions
from autoclave.runtime.options import Common

DEVICE = """\
[device]
name = "pump"
version = "1"
safety-class = "A"
[[image]]
name = "app"
"""
NAME = "W-1.waiver.json"


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    (tmp_path / "device").mkdir()
    (tmp_path / "device" / "autoclave.toml").write_text(DEVICE)
    made = Context(Common(folder=str(tmp_path / "device")), JsonScreen())
    assert made.device.image  # read before any link is there
    return made


def test_a_decision_is_a_plain_file_that_others_can_read(ctx: Context) -> None:
    before = os.umask(0o077)
    try:
        path = waive.write(NAME, b"{}", ctx, new=True)
    finally:
        os.umask(before)
    assert path == ctx.folder / "decisions" / NAME
    assert path.stat().st_mode & 0o777 == 0o644
    assert decisions.read_files(ctx) == [(NAME, b"{}")]


def test_a_decision_is_never_overwritten(ctx: Context) -> None:
    waive.write(NAME, b"{}", ctx, new=True)
    with pytest.raises(DecisionError, match="exists already"):
        waive.write(NAME, b"[]", ctx, new=True)
    waive.write(NAME, b"[]", ctx, new=False)
    assert decisions.read_files(ctx) == [(NAME, b"[]")]


@pytest.mark.parametrize("new", [True, False])
def test_nothing_is_written_into_a_linked_folder(ctx: Context, tmp_path: Path, new: bool) -> None:
    (tmp_path / "victim").mkdir()
    for target in ("../victim", "missing"):
        (ctx.folder / "decisions").symlink_to(target)
        with pytest.raises(SourceError, match="is a link"):
            waive.write(NAME, b"{}", ctx, new=new)
        with pytest.raises(SourceError, match="is a link"):
            decisions.read_files(ctx)
        (ctx.folder / "decisions").unlink()
    assert list((tmp_path / "victim").iterdir()) == []


def test_a_link_of_the_name_is_not_written_through(ctx: Context, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("kept")
    (ctx.folder / "decisions").mkdir()
    (ctx.folder / "decisions" / NAME).symlink_to(tmp_path / "victim")
    with pytest.raises(DecisionError, match="exists already"):
        waive.write(NAME, b"{}", ctx, new=True)
    waive.write(NAME, b"{}", ctx, new=False)
    assert (tmp_path / "victim").read_text() == "kept"


@pytest.mark.parametrize("odd", ["fifo", "link", "folder"])
def test_a_decision_that_is_no_plain_file_is_refused_at_once(ctx: Context, tmp_path: Path, odd: str) -> None:
    (ctx.folder / "decisions").mkdir()
    path = ctx.folder / "decisions" / NAME
    (tmp_path / "outside").write_text("{}")
    match odd:
        case "fifo":
            os.mkfifo(path)
        case "link":
            path.symlink_to(tmp_path / "outside")
        case "folder":
            path.mkdir()
    with pytest.raises(SourceError, match="and not a plain file"):
        decisions.read_files(ctx)
