"""Which files of a context a builder is sent."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from autoclave.engines.base import BuildRequest
from autoclave.engines.docker.build import Client, read_ignore_file
from autoclave.engines.docker.ignore import read_ignore_file as read
from autoclave.engines.docker.ignore import walk
from autoclave.errors import SourceError

RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "fixtures" / "dockerfile" / "ignore.json").read_bytes()
)
BUILDKIT, CLASSIC = Client("docker", "buildkit"), Client("docker", "classic")


def make(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def sent(folder: Path, text: str | bytes) -> list[str]:
    raw = text if isinstance(text, bytes) else text.encode()
    return [path.as_posix() for path in walk(folder, read(raw, ".dockerignore"))]


@pytest.mark.parametrize("case", RECORDED["files"], ids=[repr(each["text"]) for each in RECORDED["files"]])
def test_files_are_left_out_as_buildkit_does(case: dict[str, Any], tmp_path: Path) -> None:
    paths = [each for each in RECORDED["paths"] if each not in {"a", "a/b"}]
    make(tmp_path, *paths)
    if "error" in case:
        with pytest.raises(SourceError, match=r"\.dockerignore, line \d+"):
            sent(tmp_path, case["text"])
        return
    left = set(sent(tmp_path, case["text"]))
    assert [path for path in paths if path not in left] == [path for path in case["ignored"] if path in paths]


def test_empty_folders_and_the_folders_of_what_comes_back_are_sent(tmp_path: Path) -> None:
    make(tmp_path, "docs/deep/a.md", "docs/b.txt", "src/c.py")
    (tmp_path / "empty").mkdir()
    assert sent(tmp_path, "") == [
        "docs", "docs/b.txt", "docs/deep", "docs/deep/a.md", "empty", "src", "src/c.py",
    ]  # fmt: skip
    assert sent(tmp_path, "docs\n!docs/deep/*.md\nsrc\n") == ["docs", "docs/deep", "docs/deep/a.md", "empty"]


def test_links_are_not_followed_and_names_are_bytes(tmp_path: Path) -> None:
    make(tmp_path, "real/a")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / os.fsdecode(b"\xfc.txt")).touch()
    assert "link/a" not in sent(tmp_path, "")
    assert sent(tmp_path, b"# Pr\xfcfung\n\xfc.txt\n") == ["link", "real", "real/a"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a\n!\n", "line 2: '!'"),
        ("[a\n", "line 1: '[a'"),
        ("a\\\n", "it ends with a backslash"),
        ("\\d\n", "something else to each reader"),
        ("[[:alpha:]]\n", "something else to each reader"),
        ("*a" * 9 + "\n", "more than 8 times"),
        ("x" * 70_000 + "\n", "line 1 has 70000 bytes"),
        ("#\n" * 600_000, "it may have 1048576 at most"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_line(text: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        sent(tmp_path, text)
    assert why in f"{caught.value.what}: {caught.value.why}"


def test_deep_folders_are_walked(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(300):
        folder /= "d"
    folder.mkdir(parents=True)
    assert len(sent(tmp_path, "")) == 300


def test_the_ignore_file_beside_the_dockerfile_comes_first_with_buildkit(tmp_path: Path) -> None:
    make(tmp_path, "images/app.Dockerfile")
    request = BuildRequest(folder=tmp_path, context=Path(), dockerfile=Path("images/app.Dockerfile"))
    assert read_ignore_file(BUILDKIT, request) == (".dockerignore", b"")
    (tmp_path / ".dockerignore").write_text("a\n")
    assert read_ignore_file(BUILDKIT, request) == (".dockerignore", b"a\n")
    (tmp_path / "images" / "app.Dockerfile.dockerignore").write_text("b\n")
    assert read_ignore_file(BUILDKIT, request) == ("images/app.Dockerfile.dockerignore", b"b\n")
    assert read_ignore_file(CLASSIC, request) == (".dockerignore", b"a\n")
    (tmp_path / ".dockerignore").unlink()
    (tmp_path / ".dockerignore").symlink_to("/etc/passwd")
    with pytest.raises(SourceError, match="leads out of the device folder"):
        read_ignore_file(CLASSIC, request)
