"""Where a tool comes from, in which order, and what is never used."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from autoclave import tools
from autoclave.actions.tools import Means, install, modules, place, release_file, step_image
from autoclave.actions.tools.sources import Exchanged, Unavailable
from autoclave.engines.base import Engine, ImageState
from autoclave.errors import EngineError, ToolError
from autoclave.runtime import programs
from autoclave.runtime.shell import Completed, Shell
from autoclave.tools import File, Release, Tool
from autoclave.tools.examine import State, examine

HELM = tools.find("helm")
DIGEST = "sha256:" + "1" * 64


class Machine:
    """A shell whose programs print the version that is their content."""

    def __init__(self, path: dict[str, list[str]] | None = None) -> None:
        self.path = path or {}
        self.ran: list[list[str]] = []

    def find_all(self, program: str) -> list[str]:
        if os.sep in program:
            return [program] if Path(program).is_file() else []
        installed = programs.find(program)
        return [*([installed] if installed else []), *self.path.get(program, [])]

    def run(self, argv: list[str], **_: object) -> Completed:
        self.ran.append(argv)
        return Completed(0, Path(argv[0]).read_bytes(), b"")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("AUTOCLAVE_HELM", raising=False)
    monkeypatch.setattr(release_file, "find_platform", lambda: "linux-amd64")
    monkeypatch.setattr(step_image, "find_platform", lambda: "linux-amd64")
    return tmp_path


@pytest.fixture
def notes() -> list[str]:
    return []


def program(path: Path, version: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"v{version}\n")
    path.chmod(0o755)
    return str(path)


def archive(**files: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content.encode()))
    return made.getvalue()


def published(folder: Path, raw: bytes, **more: Any) -> Tool:
    """Return Helm, with a release file of this content in a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "helm.tar.gz").write_bytes(raw)
    file = File("https://example.invalid/v3/helm.tar.gz", hashlib.sha256(raw).hexdigest())
    release = Release(version="3.22.0", files={"linux-amd64": file}, member="PLATFORM/helm")
    return replace(HELM, release=replace(release, **more), build=None)


def means(machine: Machine, notes: list[str], **more: Any) -> Means:
    def connect() -> Engine:
        raise EngineError("no engine")

    return Means(shell=cast(Shell, machine), engine=connect, note=notes.append, **more)


def test_one_on_path_that_is_accepted_is_used(home: Path, notes: list[str]) -> None:
    old, new = program(home / "a/helm", "2.17.0"), program(home / "b/helm", "3.22.3")
    got = install(HELM, means(Machine({"helm": [old, new]}), notes))
    assert (got.version, got.path, got.origin) == ("3.22.3", new, "already on PATH")
    assert not programs.folder().exists()


def test_a_release_file_comes_next_and_is_found_from_then_on(home: Path, notes: list[str]) -> None:
    raw = archive(**{"linux-amd64__README": "v9.9.9", "linux-amd64__helm": "v3.22.0"})
    machine = Machine({"helm": [program(home / "a/helm", "2.17.0")]})
    tool = published(home / "mirror", raw)
    got = install(tool, means(machine, notes, mirror=str(home / "mirror")))
    assert (got.version, got.origin) == ("3.22.0", f"release file {home}/mirror/helm.tar.gz")
    assert got.path == programs.find("helm")
    here = examine(tool, cast(Shell, machine))
    assert (here.state, here.version, here.found_by) == (State.ACCEPTED, "3.22.0", "installed")
    assert place.read_origin(got.path) == (
        place.Origin("helm", "3.22.0", got.origin, hashlib.sha256(b"v3.22.0").hexdigest()),
        True,
    )
    again = install(tool, means(machine, notes))
    assert again.origin == "installed before"
    assert [each.name for each in programs.folder().iterdir() if each.name.startswith(".")] == []


def test_a_program_that_was_changed_since_is_seen(home: Path, notes: list[str]) -> None:
    tool = published(home / "mirror", archive(**{"linux-amd64__helm": "v3.22.0"}))
    got = install(tool, means(Machine(), notes, mirror=str(home / "mirror")))
    Path(got.path).resolve().write_text("v3.22.0 and more")
    found = place.read_origin(got.path)
    assert found and not found[1]


def test_an_exchanged_file_stops_everything(home: Path, notes: list[str]) -> None:
    """No other source is tried: who exchanges one file may have exchanged more."""
    tool = replace(published(home / "mirror", archive(**{"linux-amd64__helm": "v3.22.0"})), build=HELM.build)
    (home / "mirror" / "helm.tar.gz").write_bytes(archive(**{"linux-amd64__helm": "v3.22.0 evil"}))
    machine = Machine()
    with pytest.raises(Exchanged, match="is not the file that is pinned") as caught:
        install(tool, means(machine, notes, mirror=str(home / "mirror")))
    assert "must be" in caught.value.why
    assert machine.ran == []
    assert programs.find("helm") is None


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (archive(**{"linux-amd64__other": "v3.22.0"}), "has no file linux-amd64/helm"),
        (archive(**{"..__linux-amd64__helm": "v3.22.0"}), "helm"),
        (b"\x1f\x8b damaged", "cannot be read"),
        (b"", "empty file"),
        (archive(**{"linux-amd64__helm": "v3.99.0-rc1"}), "accepted is 3.22 to below 4"),
        (archive(**{"linux-amd64__helm": "hello"}), "it prints no version"),
    ],
)
def test_a_file_without_the_program_is_no_source(home: Path, notes: list[str], raw: bytes, why: str) -> None:
    with pytest.raises(ToolError, match="could not be got from anywhere") as caught:
        install(published(home / "mirror", raw), means(Machine(), notes, mirror=str(home / "mirror")))
    assert why in caught.value.why
    assert "--from" in caught.value.next
    assert programs.find("helm") is None
    assert len(notes) == 4  # fetching, and three sources that have none


def test_a_link_in_an_archive_is_not_followed(home: Path, notes: list[str]) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        member = tarfile.TarInfo("linux-amd64/helm")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(ToolError, match="could not be got"):
        install(
            published(home / "mirror", made.getvalue()), means(Machine(), notes, mirror=str(home / "mirror"))
        )


def test_another_platform_has_no_file(home: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release_file, "find_platform", lambda: "linux-riscv64")
    with pytest.raises(ToolError) as caught:
        install(published(home / "mirror", b""), means(Machine(), notes))
    assert "there is none for linux-riscv64" in caught.value.why


def test_a_part_of_the_system_is_left_to_the_system(notes: list[str]) -> None:
    with pytest.raises(ToolError, match="git is not installed") as caught:
        install(tools.find("git"), means(Machine(), notes))
    assert "apt-get install git" in caught.value.next


class ImageEngine:
    """An engine with one image, from which a program can be copied."""

    def __init__(self, raw: bytes | None, platform: str = "linux/amd64") -> None:
        self.raw, self.platform = raw, platform
        self.removed: list[str] = []

    def image(self, reference: str) -> ImageState | None:
        return ImageState(id=DIGEST, layers=(), user="", platform=self.platform)

    def create(self, spec: Any) -> str:
        return "c1"

    def get(self, container: str, path: str) -> Iterator[bytes] | None:
        return None if self.raw is None else iter([self.raw])

    def remove(self, container: str) -> None:
        self.removed.append(container)


def tar_of(content: str, kind: bytes = tarfile.REGTYPE) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        member = tarfile.TarInfo("helm")
        member.type, member.size = kind, len(content) if kind == tarfile.REGTYPE else 0
        tar.addfile(member, io.BytesIO(content.encode()))
    return made.getvalue()


def test_the_step_image_is_the_next_source(home: Path, notes: list[str]) -> None:
    engine = ImageEngine(tar_of("v3.22.0"))
    image = f"registry.example/autoclave@{DIGEST}"
    chosen = replace(means(Machine(), notes, image=image), engine=lambda: cast(Engine, engine))
    got = install(replace(HELM, release=Release("3.22.0", {}), build=None), chosen)
    assert got.origin == f"step image {image}"
    assert engine.removed == ["c1"]


@pytest.mark.parametrize(
    ("image", "raw", "platform", "why"),
    [
        ("", tar_of("v3.22.0"), "linux/amd64", "none is named"),
        ("registry.example/autoclave:1.0", tar_of("v3.22.0"), "linux/amd64", "does not name it by digest"),
        (f"--help@{DIGEST}", tar_of("v3.22.0"), "linux/amd64", "does not name it by digest"),
        (DIGEST, None, "linux/amd64", "it has no /usr/local/bin/helm"),
        (DIGEST, tar_of("", tarfile.SYMTYPE), "linux/amd64", "not a regular file"),
        (DIGEST, tar_of("v3.22.0"), "linux/arm64", "for linux/arm64, and this machine is linux/amd64"),
    ],
)
def test_an_image_that_does_not_have_it_is_no_source(
    home: Path, image: str, raw: bytes | None, platform: str, why: str
) -> None:
    engine = ImageEngine(raw, platform)
    with pytest.raises(Unavailable) as caught:
        step_image.get("helm", image, lambda: cast(Engine, engine), home / "helm")
    assert why in caught.value.reason


def test_a_build_obeys_go_mod_and_go_sum_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=mod -p=1")
    trivy = tools.find("trivy").build
    assert trivy
    settings = modules.make_environment(trivy)
    assert settings["GOFLAGS"].endswith("-mod=readonly -buildvcs=false")  # the last one counts
    assert settings["GOTOOLCHAIN"] == "local"
    assert "-X github.com/aquasecurity/trivy/pkg/version/app.ver=0.74.0" in modules.make_ldflags(trivy)


def test_modules_that_are_not_there_are_no_source() -> None:
    with pytest.raises(Unavailable, match="not part of this installation"):
        modules.find_folder("nonesuch")


def test_go_must_be_new_enough(home: Path, notes: list[str]) -> None:
    old, new = home / "old", home / "new"
    old.write_text("go1.20.1\n")
    new.write_text("go1.26.3\n")
    found = modules.find_go(cast(Shell, Machine({"go": [str(old), str(new)]})), notes.append)
    assert found == str(new)


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_program_that_others_can_write_is_not_found(home: Path, mode: int) -> None:
    path = Path(program(programs.folder() / "bin" / "helm", "3.22.0"))
    path.parent.chmod(0o755)
    assert programs.find("helm") == str(path)
    path.chmod(mode)
    assert programs.find("helm") is None
    path.chmod(0o755)
    path.parent.chmod(mode)
    assert programs.find("helm") is None


@pytest.mark.parametrize("name", ["../helm", "", "/bin/sh", "HELM", "helm/x"])
def test_only_plain_names_are_looked_up(name: str) -> None:
    assert programs.find(name) is None


def test_what_a_variable_names_is_what_is_examined(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = program(home / "named/helm", "3.23.0")
    monkeypatch.setenv("AUTOCLAVE_HELM", named)
    here = examine(HELM, cast(Shell, Machine({"helm": [program(home / "a/helm", "3.22.0")]})))
    assert (here.path, here.version, here.found_by) == (named, "3.23.0", "AUTOCLAVE_HELM")


def test_the_platform_is_the_vendors_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert release_file.find_platform().split("-")[0] in {"linux", "darwin"}
