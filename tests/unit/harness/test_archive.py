"""Small pure pieces: masking, base images, plans, options, copying, files' digest, errors."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoclave.errors import SourceError
from autoclave.harness import archive as copying


def folder_with_tests(tmp_path: Path) -> Path:
    folder = tmp_path / "device"
    (folder / "tests" / "__pycache__").mkdir(parents=True)
    (folder / "tests" / "test_a.py").write_text("a")
    (folder / "tests" / "__pycache__" / "x.pyc").write_text("no")
    for skipped in (".git", ".autoclave", ".pytest_cache"):
        (folder / "tests" / skipped).mkdir()
        (folder / "tests" / skipped / "x").write_text("no")
    return folder


def test_files_are_packed_readable_and_the_same_every_time(tmp_path: Path) -> None:
    folder = folder_with_tests(tmp_path)
    raw = copying.pack(folder, ["tests"], empty_folders=["results"])
    assert raw == copying.pack(folder, ["tests"], empty_folders=["results"])
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        assert {each.name: oct(each.mode) for each in tar} == {
            "results": "0o777",
            "tests": "0o755",
            "tests/test_a.py": "0o644",
        }


def test_nothing_outside_the_device_is_packed(tmp_path: Path) -> None:
    folder = folder_with_tests(tmp_path)
    (tmp_path / "secret").write_text("s")
    (folder / "tests" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(SourceError, match="leaves the device folder"):
        copying.pack(folder, ["tests"], empty_folders=[])
    with pytest.raises(SourceError, match="does not exist"):
        copying.pack(folder, ["no"], empty_folders=[])


def names_in(raw: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        return tar.getnames()


def test_results_start_empty(tmp_path: Path) -> None:
    folder = folder_with_tests(tmp_path)
    (folder / "results").mkdir()
    (folder / "results" / "junit.xml").write_text("<testsuite/>")
    (folder / "tests" / "results").symlink_to("../results")
    (folder / "old").symlink_to("results")
    for item in ("results", "results/", "./results", "tests/../results", "results/junit.xml"):
        with pytest.raises(SourceError, match="where Autoclave's own 'results' is"):
            copying.pack(folder, [item], empty_folders=["results"])
    assert "old/junit.xml" in names_in(copying.pack(folder, ["old"], empty_folders=["results"]))


def test_a_linked_folder_arrives(tmp_path: Path) -> None:
    folder = folder_with_tests(tmp_path)
    (folder / "data").mkdir()
    (folder / "data" / "a.csv").write_text("1")
    (folder / "tests" / "data").symlink_to("../data")
    (folder / "linked").symlink_to("tests")
    names = names_in(copying.pack(folder, ["tests", "linked"], empty_folders=[]))
    assert {"tests/data/a.csv", "linked/data/a.csv", "linked/test_a.py"} <= set(names)


def test_links_do_not_repeat_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_MOST", 100)
    folder = folder_with_tests(tmp_path)
    (folder / "tests" / "again").symlink_to("../tests")
    with pytest.raises(SourceError, match="leads back"):
        copying.pack(folder, ["tests"], empty_folders=[])
    (folder / "tests" / "again").unlink()
    for number in range(20):
        (folder / f"d{number}").mkdir()
        (folder / f"d{number}" / "a").symlink_to(f"../d{number + 1}")
        (folder / f"d{number}" / "b").symlink_to(f"../d{number + 1}")
    (folder / "d20").mkdir()
    with pytest.raises(SourceError, match="more than 100 files"):
        copying.pack(folder, ["d0"], empty_folders=[])


@pytest.mark.parametrize(
    "item", [".git", ".git/config", ".GIT/config", "token", "tests", ".autoclave", "./.git"]
)
def test_what_a_host_keeps_in_git_is_never_packed(tmp_path: Path, item: str) -> None:
    folder = folder_with_tests(tmp_path)
    for own in (".git", ".GIT", ".autoclave"):
        (folder / own).mkdir()
        (folder / own / "config").write_text("token")
    (folder / "token").symlink_to(".git/config")
    (folder / "tests" / "token").symlink_to("../.git/config")
    with pytest.raises(SourceError, match="not copied to the tests"):
        copying.pack(folder, [item], empty_folders=[])


def test_an_item_keeps_its_path(tmp_path: Path) -> None:
    folder = folder_with_tests(tmp_path)
    (folder / "b" / "tests" / "data").mkdir(parents=True)
    (folder / "b" / "tests" / "data" / "x.csv").write_text("1")
    (folder / "b" / "c.txt").write_text("1")
    packed = copying.pack(folder, ["tests", "./b/tests", "b/c.txt"], empty_folders=[])
    assert names_in(packed) == [
        *("tests", "tests/test_a.py"),
        *("b", "b/tests", "b/tests/data", "b/tests/data/x.csv", "b/c.txt"),
    ]


@pytest.mark.parametrize(
    "items", [["tests", "tests"], ["tests", "tests/test_a.py"], ["tests/test_a.py", "tests/"]]
)
def test_two_items_of_one_path_are_refused(tmp_path: Path, items: list[str]) -> None:
    with pytest.raises(SourceError, match="one contains the other"):
        copying.pack(folder_with_tests(tmp_path), items, empty_folders=[])


def test_names_that_only_begin_alike_are_two(tmp_path: Path) -> None:
    folder = folder_with_tests(tmp_path)
    (folder / "tests2").mkdir()
    assert "tests2" in names_in(copying.pack(folder, ["tests", "tests2"], empty_folders=[]))


@pytest.mark.parametrize(
    ("there", "says"),
    [
        (["autoclave/results/junit.xml"], "already has /autoclave/results"),
        (["autoclave/tests"], "already has /autoclave/tests"),
        ([], "is not a folder"),
    ],
)
def test_what_an_image_already_has_is_not_replaced(tmp_path: Path, there: list[str], says: str) -> None:
    files = copying.pack(folder_with_tests(tmp_path), ["tests"], empty_folders=["results"])
    with pytest.raises(SourceError, match=says):
        copying.refuse_taken(image_folder(there), files, folder="/autoclave")
    copying.refuse_taken(image_folder(["autoclave/more/results"]), files, folder="/autoclave")
    copying.refuse_taken(None, files, folder="/autoclave")


def refuse(archive: bytes, most: int = 100) -> SourceError:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copying, "_MOST", most)
        packed = copying.pack(Path(), [], empty_folders=["results"])
        with pytest.raises(SourceError, match="/autoclave of the image cannot be read") as caught:
            copying.refuse_taken([archive], packed, folder="/autoclave")
    return caught.value


def test_what_an_image_has_is_refused_when_it_cannot_be_read() -> None:
    whole = b"".join(image_folder(["autoclave/a", "autoclave/results"]))
    damaged = bytearray(whole)
    damaged[512] ^= 1  # tarfile alone would take it for the end
    assert "damaged header" in refuse(bytes(damaged)).why
    assert refuse(whole[:700]).why
    assert refuse(b"x" * 1024).why
    assert "empty" in refuse(bytes(10240)).why
    assert "after its end" in refuse(b"".join(image_folder(["autoclave/a"])) + b"more").why
    assert "more than 2 members" in refuse(b"".join(image_folder(["autoclave/a", "autoclave/b"])), most=2).why
    assert "leaves it" in refuse(b"".join(image_folder(["autoclave/../autoclave/results"]))).why


def test_a_name_of_ours_is_found_however_it_is_written(tmp_path: Path) -> None:
    packed = copying.pack(tmp_path, [], empty_folders=["results"])
    with pytest.raises(SourceError, match="already has /autoclave/results"):
        copying.refuse_taken(image_folder(["./autoclave//results"]), packed, folder="/autoclave")


def test_a_damaged_archive_of_a_report_is_refused() -> None:
    member = tarfile.TarInfo("junit.xml")
    member.size = 3
    raw = b"".join(archive(member, b"xml"))
    for wrong in (raw[:514], b"x" * 1024, b""):
        with pytest.raises(SourceError, match=r"cannot be read|not a regular file"):
            list(copying.single_file([wrong], limit=9))


def test_what_is_packed_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(bytes(2000))
    monkeypatch.setattr(copying, "_LARGEST", 6000)
    assert names_in(copying.pack(tmp_path, ["a", "b"], empty_folders=[])) == ["a", "b"]
    with pytest.raises(SourceError, match="more than 6,000 bytes"):
        copying.pack(tmp_path, ["a", "b", "c"], empty_folders=[])


def image_folder(names: list[str]) -> Iterator[bytes]:
    """The folder /autoclave of an image as an engine copies it out; a link when it has no names."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        top = tarfile.TarInfo("autoclave")
        top.type = tarfile.DIRTYPE if names else tarfile.SYMTYPE
        tar.addfile(top)
        for name in names:
            tar.addfile(tarfile.TarInfo(name))
    yield buffer.getvalue()


def test_a_pipe_is_not_packed(tmp_path: Path) -> None:
    folder = folder_with_tests(tmp_path)
    os.mkfifo(folder / "tests" / "pipe")
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        copying.pack(folder, ["tests"], empty_folders=[])


def archive(member: tarfile.TarInfo, body: bytes = b"") -> Iterator[bytes]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(member, io.BytesIO(body))
    raw = buffer.getvalue()
    yield from (raw[at : at + 100] for at in range(0, len(raw), 100))


def test_one_file_comes_out_and_nothing_else() -> None:
    member = tarfile.TarInfo("junit.xml")
    member.size = 3
    assert b"".join(copying.single_file(archive(member, b"xml"), limit=3)) == b"xml"
    with pytest.raises(copying.TooLarge):
        list(copying.single_file(archive(member, b"xml"), limit=2))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_only_a_regular_file_comes_out(kind: bytes) -> None:
    member = tarfile.TarInfo("junit.xml")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(SourceError, match="not a regular file"):
        list(copying.single_file(archive(member), limit=9))
