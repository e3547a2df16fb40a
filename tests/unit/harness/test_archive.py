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
