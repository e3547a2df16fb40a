"""A folder is worked in without following a link, wherever the link is."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from autoclave.errors import SourceError
from autoclave.runtime.folder import Folder, Kind, folder_at

CALLS: dict[str, Callable[[Folder, str], object]] = {
    "read": lambda folder, name: folder.read(name, limit=100),
    "write": lambda folder, name: folder.write(name, [b"new"]),
    "create": lambda folder, name: folder.create(name, [b"new"]),
    "remove": lambda folder, name: folder.remove(name),
    "kind": lambda folder, name: folder.kind(name),
    "names": lambda folder, name: folder.at(name).names(),
    "make": lambda folder, name: folder.at(name).make(),
}


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    made = tmp_path / "victim"
    (made / "inner").mkdir(parents=True)
    (made / "file").write_text("kept")
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "device").mkdir()
    return Folder(tmp_path / "device")


def contents(path: Path) -> dict[str, str]:
    return {
        str(each.relative_to(path)): each.read_text() if each.is_file() else "" for each in path.rglob("*")
    }


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", ["link/inner/x", "a/link/x", "a/link/inner/x", "link/file"])
def test_no_link_on_the_way_is_followed(call: str, name: str, folder: Folder, victim: Path) -> None:
    before = contents(victim)
    (folder.path / "a").mkdir()
    for link in (folder.path / "link", folder.path / "a" / "link"):
        link.symlink_to(victim)
    with pytest.raises(SourceError, match="is a link"):
        CALLS[call](folder, name)
    assert contents(victim) == before


@pytest.mark.parametrize("call", CALLS)
def test_not_even_one_that_stays_inside(call: str, folder: Folder) -> None:
    (folder.path / "a").mkdir()
    (folder.path / "b").symlink_to("a")
    with pytest.raises(SourceError, match="is a link"):
        CALLS[call](folder, "b/x")


def test_a_link_in_place_of_a_file_is_not_read(folder: Folder, victim: Path) -> None:
    (folder.path / "x").symlink_to(victim / "file")
    (folder.path / "loop").symlink_to("loop")
    for name in ("x", "loop"):
        with pytest.raises(SourceError, match="is a link"):
            folder.read(name, limit=100)
        assert folder.kind(name) is Kind.LINK


@pytest.mark.parametrize("target", ["victim/file", "victim/missing"])
def test_a_link_in_place_of_a_file_is_replaced_itself(folder: Folder, victim: Path, target: str) -> None:
    (folder.path / "x").symlink_to(folder.path.parent / target)
    before = contents(victim)
    folder.write("x", [b"new"])
    assert contents(victim) == before
    assert not (folder.path / "x").is_symlink()
    assert folder.read("x", limit=3) == b"new"


@pytest.mark.parametrize("target", ["victim/file", "victim/missing"])
def test_a_dangling_link_takes_the_name_of_a_new_file(folder: Folder, victim: Path, target: str) -> None:
    (folder.path / "x").symlink_to(folder.path.parent / target)
    before = contents(victim)
    with pytest.raises(FileExistsError):
        folder.create("x", [b"new"])
    assert contents(victim) == before
    assert folder.names() == ["x"]


def test_a_removal_removes_links_and_not_what_they_lead_to(folder: Folder, victim: Path) -> None:
    before = contents(victim)
    (folder.path / "a" / "b").mkdir(parents=True)
    (folder.path / "a" / "b" / "link").symlink_to(victim)
    (folder.path / "link").symlink_to(victim)
    folder.remove("a")
    folder.remove("link")
    folder.remove("missing")
    assert contents(victim) == before
    assert folder.names() == []


def test_a_hard_link_to_anothers_file_is_replaced_and_not_written(folder: Folder, victim: Path) -> None:
    (folder.path / "x").hardlink_to(victim / "file")
    folder.write("x", [b"new"])
    assert (victim / "file").read_text() == "kept"


def test_what_is_no_file_is_refused_and_never_waited_for(folder: Folder) -> None:
    os.mkfifo(folder.path / "fifo")
    (folder.path / "folder").mkdir()
    os.mknod(folder.path / "socket", stat.S_IFSOCK | 0o600)
    for name in ("fifo", "folder", "socket"):
        with pytest.raises(SourceError, match="and not a plain file"):
            folder.read(name, limit=100)
    with pytest.raises(SourceError, match="and not a folder"):
        folder.write("fifo/x", [b""])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", CALLS)
def test_a_link_that_comes_between_is_not_followed(
    call: str, when: str, folder: Folder, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder `a` becomes a link just before, or just after, it is opened."""
    (folder.path / "a" / "inner").mkdir(parents=True)
    before = contents(victim)
    true_open = os.open

    def opened(path: str, *args: int, **settings: int) -> int:
        if path == "a" and when == "before":
            exchange()
        descriptor = true_open(path, *args, **settings)
        if path == "a" and when == "after":
            exchange()
        return descriptor

    def exchange() -> None:
        (folder.path / "a").rename(folder.path / "moved")
        (folder.path / "a").symlink_to(victim)

    monkeypatch.setattr("autoclave.runtime.folder.os.open", opened)
    with suppress(SourceError, FileExistsError):
        CALLS[call](folder, "a/inner")
    assert (folder.path / "moved").exists()
    assert contents(victim) == before


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/../../x", "/etc/passwd", "a\0b"])
@pytest.mark.parametrize("call", CALLS)
def test_a_name_that_leaves_the_folder_is_refused(folder: Folder, call: str, name: str) -> None:
    with pytest.raises(SourceError, match="is not a name in a folder"):
        CALLS[call](folder, name)


def test_a_file_has_the_given_mode_and_folders_are_readable_whatever_the_umask(folder: Folder) -> None:
    before = os.umask(0o077)
    try:
        folder.write("a/b/shared", [b"x"])
        folder.create("a/b/own", [b"x"], mode=0o600)
    finally:
        os.umask(before)
    modes = {
        name: stat.S_IMODE((folder.path / name).stat().st_mode)
        for name in ("a", "a/b", "a/b/shared", "a/b/own")
    }
    assert modes == {"a": 0o755, "a/b": 0o755, "a/b/shared": 0o644, "a/b/own": 0o600}


def test_a_reader_sees_the_old_or_the_new_file_and_a_failed_writer_leaves_nothing(folder: Folder) -> None:
    folder.write("x", [b"old"])

    def fail() -> object:
        yield b"half"
        assert folder.read("x", limit=10) == b"old"
        raise KeyError

    for call in (folder.write, folder.create):
        with pytest.raises(KeyError):
            call("x", fail())  # type: ignore[operator]
    assert folder.names() == ["x"]
    assert folder.read("x", limit=10) == b"old"


def test_a_long_file_is_refused_and_not_read(folder: Folder) -> None:
    folder.write("x", [b"1234"])
    assert folder.read("x", limit=4) == b"1234"
    with pytest.raises(SourceError, match="larger than 3 bytes"):
        folder.read("x", limit=3)


def test_what_is_missing_is_said(folder: Folder) -> None:
    assert folder.kind("a/b") is None
    assert folder.at("a").names() == []
    with pytest.raises(SourceError, match="does not exist"):
        folder.read("a/b", limit=1)


def test_the_way_to_the_root_is_the_users(tmp_path: Path, victim: Path) -> None:
    (tmp_path / "shortcut").symlink_to(victim)
    assert Folder(tmp_path / "shortcut").read("file", limit=10) == b"kept"


def test_a_named_folder_in_the_device_folder_is_reached_without_links(folder: Folder, victim: Path) -> None:
    (folder.path / "out").symlink_to(victim)
    (folder.path.parent / "shortcut").symlink_to(folder.path)
    before = contents(victim)
    for root in (folder.path, folder.path.parent / "shortcut", folder.path / "x" / ".."):
        with pytest.raises(SourceError, match="is a link"):
            folder_at(root / "out" / "inner", folder.path).write("x", [b"new"])
    assert contents(victim) == before
    (folder.path.parent / "elsewhere").symlink_to(victim)
    assert folder_at(folder.path.parent / "elsewhere", folder.path).names() == ["file", "inner"]


def test_descriptors_are_closed(folder: Folder, victim: Path) -> None:
    (folder.path / "link").symlink_to(victim)
    before = len(list(Path("/proc/self/fd").iterdir()))
    folder.write("a/b/c", [b"x"])
    folder.read("a/b/c", limit=1)
    for name in ("link/x", "a/b/c/d"):
        with pytest.raises(SourceError):
            folder.write(name, [b"x"])
    folder.remove("a")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
