"""Small pure pieces: masking, base images, plans, options, copying, files' digest, errors."""

from __future__ import annotations

import base64
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from autoclave import build, copying, deploy, pipeline, scan, sign, unit_test
from autoclave.dockerfile import bases
from autoclave.engines.base import BuildRequest, ContainerSpec
from autoclave.engines.docker_build import Client, command
from autoclave.engines.docker_run import as_command
from autoclave.errors import AutoclaveError, SourceError, tree
from autoclave.masking import Mask
from autoclave.options import fields
from autoclave.plan import StepPlan
from autoclave.source import digest_of_files

SECRET = "p@ss/word+2026?"


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("after", ["", "z", "zz"])
def test_a_secret_is_masked_in_every_form(before: str, after: str) -> None:
    mask = Mask([SECRET])
    assert SECRET not in mask(before + SECRET + after)
    assert quote(SECRET, safe="") not in mask(quote(SECRET, safe=""))
    encoded = base64.b64encode((before + SECRET + after).encode()).decode()
    decodable = mask(encoded).replace("[masked]", "")
    assert len(decodable) < len(encoded) - len(SECRET)


def test_short_values_do_not_mask_ordinary_text() -> None:
    assert Mask(["ab", ""])("about") == "about"


DOCKERFILES = [
    ("FROM python:3.11\n", {}, ["python:3.11"]),
    ("ARG BASE=a:1\nFROM ${BASE} AS x\nFROM x\n", {}, ["a:1"]),
    ("ARG BASE=a:1\nFROM $BASE\n", {"BASE": "b:2"}, ["b:2"]),
    (
        "# FROM no\nFROM --platform=linux/amd64 a:1 as build\nFROM scratch\nCOPY --from=build / /\n",
        {},
        ["a:1"],
    ),
    ("ARG V\nFROM a:${V:-7}\n", {}, ["a:7"]),
    ("FROM \\\n  a:1\nFROM b:2\nFROM A:1\n", {}, ["a:1", "b:2", "A:1"]),
    ("FROM a:1 AS x\nFROM a:1 AS y\n", {}, ["a:1"]),
    ("ARG BASE='a:1'\nFROM $BASE\n", {}, ["a:1"]),
    ('ARG BASE="a:1" V=2\nFROM ${BASE}-$V\n', {}, ["a:1-2"]),
    ("ARG B=a:1\nFROM $B AS x\nARG B=b:2\nFROM $B AS y\n", {}, ["a:1"]),
    ("ARG D=\nFROM a:1${D:+-debug}\n", {"D": "1"}, ["a:1-debug"]),
    ("FROM a:1 AS Build\nFROM build\nFROM SCRATCH\n", {}, ["a:1"]),
]


@pytest.mark.parametrize(("text", "args", "expected"), DOCKERFILES)
def test_base_images_are_found(text: str, args: dict[str, str], expected: list[str]) -> None:
    assert bases(text, args) == expected


def test_a_plan_s_hash_covers_everything_in_it() -> None:
    plan = StepPlan(step="scan", image="app", commands=(("a",),), tools={"t": "1"}, inputs={"i": "1"})
    changed = [
        replace(plan, step="sign"),
        replace(plan, image="b"),
        replace(plan, commands=(("b",),)),
        replace(plan, tools={"t": "2"}),
        replace(plan, inputs={"i": "2"}),
    ]
    assert len({each.digest for each in [plan, *changed]}) == 6
    assert (
        replace(plan, inputs={"b": "1", "a": "2"}).digest == replace(plan, inputs={"a": "2", "b": "1"}).digest
    )


@pytest.mark.parametrize("step", [build, unit_test, scan, sign, deploy, pipeline])
def test_every_option_has_a_flag_a_variable_and_a_meaning(step: object) -> None:
    found = fields(step.Options)
    assert len({field.flag for field in found}) == len(found)
    assert len({field.variable for field in found}) == len(found)
    assert all(field.description for field in found)


def test_every_exit_code_has_one_meaning() -> None:
    found = tree(AutoclaveError)
    assert len({error.code for error in found}) == len(found)
    assert len({error.meaning for error in found}) == len(found)
    assert all(0 < error.code < 256 for error in found)


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
    raw = copying.packed(folder, ["tests"], empty_folders=["results"])
    assert raw == copying.packed(folder, ["tests"], empty_folders=["results"])
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
        copying.packed(folder, ["tests"], empty_folders=[])
    with pytest.raises(SourceError, match="does not exist"):
        copying.packed(folder, ["no"], empty_folders=[])


def test_a_pipe_is_not_packed(tmp_path: Path) -> None:
    folder = folder_with_tests(tmp_path)
    os.mkfifo(folder / "tests" / "pipe")
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        copying.packed(folder, ["tests"], empty_folders=[])


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


def test_the_digest_of_files_sees_name_content_mode_and_links(tmp_path: Path) -> None:
    seen = set()

    def look() -> None:
        files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
        seen.add(digest_of_files(tmp_path, files))

    look()
    (tmp_path / "a").write_text("1")
    look()
    (tmp_path / "a").write_text("2")
    look()
    (tmp_path / "a").chmod(0o755)
    look()
    (tmp_path / "a").rename(tmp_path / "b")
    look()
    (tmp_path / "c").symlink_to("b")
    look()
    (tmp_path / "c").unlink()
    (tmp_path / "c").symlink_to("d")
    look()
    assert len(seen) == 7


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


def test_every_container_is_hardened() -> None:
    argv = as_command(ContainerSpec(image="sha256:1", command=("a", "b"), memory=7, pids=3))
    line = " ".join(argv)
    for part in ("--read-only", "--cap-drop ALL", "no-new-privileges", "--network none", "--memory-swap 7"):
        assert part in line
    assert line.endswith("--entrypoint a sha256:1 b")
