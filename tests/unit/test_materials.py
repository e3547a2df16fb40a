"""Out of what an image is made, by digest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from autoclave import materials
from autoclave.device.source import Source
from autoclave.engines.base import BuildRequest, Used
from autoclave.errors import SourceError
from autoclave.model.facts import Material
from builders.memory_engine import MemoryEngine, image

SUM = "a" * 64


class Tree:
    """A commit, or with `is_worktree` what lies in a folder."""

    commit, tree, time = "1" * 40, "2" * 40, 7

    def __init__(self, folder: Path, *, is_worktree: bool = False) -> None:
        self.folder = folder
        self.is_worktree = is_worktree

    def read(self, name: str, *, limit: int = 0) -> bytes:
        return (self.folder / name).read_bytes()

    def name_original(self, text: str) -> str:
        return text

    def close(self) -> None:
        pass


def request(folder: Path, text: str, **more: Any) -> BuildRequest:
    (folder / "Dockerfile").write_text(text, "utf-8")
    return BuildRequest(folder=folder, context=Path(), dockerfile=Path("Dockerfile"), **more)


def collect(folder: Path, text: str, engine: MemoryEngine, **more: Any) -> materials.Inputs:
    tree: Source = Tree(folder)
    return materials.collect(request(folder, text, **more), tree, engine.as_engine)


def digests(inputs: materials.Inputs) -> dict[str, dict[str, str]]:
    return {each.name: each.digest for each in inputs.materials}


@pytest.mark.parametrize(
    "text",
    [
        "FROM {}\n",
        "FROM scratch\nCOPY --from={} /a /b\n",
        "FROM scratch\nRUN --mount=from={},target=/m true\n",
        "# syntax={}\nFROM scratch\n",
        "FROM base:1\n",  # its ONBUILD copies from it
    ],
)
def test_an_image_that_moves_is_another_input(text: str, tmp_path: Path) -> None:
    engine = MemoryEngine()
    engine.images = {
        "tools:1": image("one"),
        "base:1": image("base", on_build=("COPY --from=tools:1 /a /b",)),
    }
    before = collect(tmp_path, text.format("tools:1"), engine)
    assert any(name.endswith(" tools:1") for name in digests(before))
    engine.images["tools:1"] = image("two")
    after = collect(tmp_path, text.format("tools:1"), engine)
    assert digests(before) != digests(after)
    with pytest.raises(SourceError, match="tools:1"):
        materials.refuse_changed(before, after)


def test_an_image_by_digest_needs_no_engine(tmp_path: Path) -> None:
    engine = MemoryEngine()
    name = f"base:1@sha256:{SUM}"
    assert digests(collect(tmp_path, f"FROM {name}\n", engine))[f"base {name}"] == {"sha256": SUM}


def test_an_image_that_the_engine_does_not_have_has_no_digest(tmp_path: Path) -> None:
    assert digests(collect(tmp_path, "FROM base:1\n", MemoryEngine()))["base base:1"] == {"sha256": ""}


def test_images_are_pulled_with_what_their_onbuild_uses(tmp_path: Path) -> None:
    engine = MemoryEngine()
    engine.registry = {
        "base:1": image("base", on_build=("COPY --from=tools:1 /a /b",)),
        "tools:1": image("tools"),
        "front/end:1": image("frontend"),
    }
    made = request(tmp_path, "# syntax=front/end:1\nFROM base:1\nADD https://h/x /x\n")
    assert materials.pull(made, engine.as_engine, print)
    assert sorted(engine.pulled) == ["base:1", "front/end:1", "tools:1"]
    assert not materials.pull(made, engine.as_engine, print)


def test_what_is_fetched_without_a_checksum_is_never_the_same(tmp_path: Path) -> None:
    engine = MemoryEngine()
    loose = collect(tmp_path, "FROM scratch\nADD https://user:secret@h/x /x\n", engine)
    assert not loose.is_fixed
    assert loose.materials[-1] == Material(name="remote https://h/x", digest={}, uri="https://h/x")
    fixed = collect(tmp_path, f"FROM scratch\nADD --checksum=sha256:{SUM} https://h/x /x\n", engine)
    assert fixed.is_fixed
    assert digests(fixed)["remote https://h/x"] == {"sha256": SUM}


def test_an_image_for_another_platform_is_not_what_is_built_from(tmp_path: Path) -> None:
    engine = MemoryEngine()
    engine.images["base:1"] = image("base", platform="linux/arm64/v8")
    with pytest.raises(SourceError, match=r"Dockerfile, line 1: the engine has base:1 for linux/arm64,"):
        collect(tmp_path, "FROM base:1\n", engine)
    collect(tmp_path, "FROM --platform=linux/arm64 base:1\n", engine)
    engine.images["base:1"] = image("base", platform="linux/386")
    collect(tmp_path, "FROM base:1\n", engine)  # as the builder, which runs it too


def test_the_reference_is_the_one_that_was_pulled_under_this_name(tmp_path: Path) -> None:
    engine = MemoryEngine()
    pulled = (f"other/base@sha256:{'b' * 64}", f"reg:5000/base@sha256:{SUM}")
    engine.images["reg:5000/base:1"] = image("base", repo_digests=pulled)
    found = collect(tmp_path, "FROM reg:5000/base:1\n", engine).materials[-1]
    assert found.uri == pulled[1]
    assert found.digest["sha256"] == engine.images["reg:5000/base:1"].id.removeprefix("sha256:")


def test_the_time_of_the_commit_is_an_argument(tmp_path: Path) -> None:
    text = "ARG SOURCE_DATE_EPOCH\nFROM base:${SOURCE_DATE_EPOCH}\n"
    assert "base base:7" in digests(collect(tmp_path, text, MemoryEngine(), source_date_epoch=7))


def test_files_that_changed_during_the_build_are_named(tmp_path: Path) -> None:
    tree: Source = Tree(tmp_path, is_worktree=True)
    made = request(tmp_path, "FROM scratch\n")
    (tmp_path / "build.log").write_text("1")
    engine = MemoryEngine().as_engine
    before = materials.collect(made, tree, engine)
    materials.refuse_changed(before, materials.collect(made, tree, engine))
    (tmp_path / "build.log").write_text("12")
    with pytest.raises(SourceError) as caught:
        materials.refuse_changed(before, materials.collect(made, tree, engine))
    assert caught.value.what.endswith("changed while it was built: context (build.log)")
    for number in range(7):
        (tmp_path / f"more{number}").mkdir()
    with pytest.raises(SourceError, match=r"\(build.log, more0, more1, more2, more3 and 3 more\)"):
        materials.refuse_changed(before, materials.collect(made, tree, engine))


def test_a_store_in_the_context_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".autoclave").mkdir()
    tree: Source = Tree(tmp_path, is_worktree=True)
    with pytest.raises(SourceError, match=r"contains the folder \.autoclave"):
        materials.collect(request(tmp_path, "FROM scratch\n"), tree, MemoryEngine().as_engine)


def used(name: str, digest: str, *, is_image: bool = True) -> Used:
    return Used(name=name, digest=digest, is_image=is_image)


def test_what_the_builder_says_is_compared_with_what_was_read(tmp_path: Path) -> None:
    engine = MemoryEngine()
    pulled = (f"debian@sha256:{SUM}",)
    layers = ("sha256:" + "1" * 64, "sha256:" + "2" * 64)
    engine.images["debian:12"] = image("debian", repo_digests=pulled)
    engine.images["own/tools"] = replace(image("own"), layers=layers)
    inputs = collect(
        tmp_path,
        f"FROM debian:12\nCOPY --from=own/tools /a /b\nADD --checksum=sha256:{SUM} https://u:p@h/x /x\n"
        f"ADD --checksum={'b' * 40} git@h:r.git#main /r\nCOPY --from=pin:1@sha256:{SUM} /a /b\n"
        f"COPY --from=only@sha256:{SUM} /a /b\nADD --checksum=sha512:{'d' * 128} https://h/long /x\n",
        engine,
    )
    chain = f"sha256:{hashlib.sha256(' '.join(layers).encode()).hexdigest()}"
    good = [
        used("debian:12", f"sha256:{SUM}"),
        used("docker.io/library/debian:12", engine.images["debian:12"].id),
        used("own/tools:latest", chain),
        used("own/tools", ""),
        used("pin:1", f"sha256:{SUM}"),
        used("https://h/x", f"sha256:{SUM}", is_image=False),
        used(f"only@sha256:{SUM}", f"sha256:{SUM}"),
        used("https://h/long", f"sha256:{SUM}", is_image=False),  # another kind of digest
        used("ssh://git@h/r.git#main", f"gitCommit:{'b' * 40}", is_image=False),
    ]
    assert materials.contradict(inputs, good) == ()
    other = f"sha256:{'c' * 64}"
    said = materials.contradict(
        inputs,
        [
            used("debian:12", other),
            used("hidden:1", other),
            used("https://h/x", other, is_image=False),
            used("https://hidden/x", other, is_image=False),
        ],
    )
    assert [each.split(" ")[0].rstrip(",") for each in said] == [
        "debian:12",
        "hidden:1",
        "https://h/x",
        "https://hidden/x",
    ]
    assert "which is not found in the Dockerfile" in said[1]
