"""Reading a Dockerfile as the builder reads it, and replacing one of its stages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autoclave.device.dockerfile import directives, reading, words
from autoclave.device.dockerfile.replacement import replace_stage
from autoclave.device.dockerfile.sources import BaseImage, Source, Target, find_sources
from autoclave.errors import SourceError
from autoclave.model.platform import Platform

FILES = Path(__file__).parents[2] / "fixtures" / "dockerfile"
BUILDKIT: dict[str, Any] = json.loads((FILES / "buildkit.json").read_bytes())
WORDS: list[dict[str, Any]] = json.loads((FILES / "words.json").read_bytes())
PLATFORM = Platform("linux", "amd64")
SUM = "a" * 64


def find(text: str | bytes, images: dict[str, BaseImage] | None = None, **target: Any) -> tuple[Source, ...]:
    raw = text if isinstance(text, bytes) else text.encode()
    return find_sources(raw, "Dockerfile", Target(**{"platform": PLATFORM} | target), images or {})


def names(text: str | bytes, images: dict[str, BaseImage] | None = None, **target: Any) -> list[str]:
    return [f"{each.kind} {each.name}" for each in find(text, images, **target)]


def refusal(text: str | bytes, **target: Any) -> str:
    with pytest.raises(SourceError) as caught:
        find(text, **target)
    return f"{caught.value.what}: {caught.value.why}"


def in_llb(source: Source) -> str:
    """Return a source as BuildKit writes it into a build's definition."""
    if source.kind == "remote":
        address = source.name.replace("git@git.example:", "https://git.example/")
        address = address.replace("https://", "git://") if ".git#" in address else address
        return f"{address} {source.checksum}".strip()
    name = source.name if "/" in source.name else f"library/{source.name}"
    return f"docker-image://docker.io/{name}" + ("" if ":" in name else ":latest")


# Counted by hand, by reading the files: what each build uses from outside.
COUNTED = {
    "copy-from-image": [
        "frontend docker/dockerfile:1.7",
        "base debian:12",
        "image busybox:1.36",
        "image alpine:3.20",
    ],
    "arg-in-arg": ["base python:3.12-slim-bookworm"],
    "platform-stage": ["base debian:12"],
    "here-string": ["base alpine:3.20"],
    "escape-directive": ["base debian:12"],
    "bom": ["base debian:12"],
    "onbuild-heredoc": ["base debian:12"],
    "quoted-arg": ["base alpine"],
    "trailing-backslash-comment": ["base alpine:3.20"],
    "shebang-and-syntax": ["frontend docker/dockerfile:1", "base debian:12"],
    "copy-by-number": ["base golang:1.22"],
    "unneeded-stage": ["base debian:12", "image busybox:1.36"],
    "mounts": ["base debian:12", "image one:1", "image two:2"],
    "heredoc-in-copy": ["base debian:12"],
}


@pytest.mark.parametrize("file", COUNTED)
def test_what_a_build_uses_is_found(file: str) -> None:
    assert names((FILES / f"{file}.Dockerfile").read_bytes()) == COUNTED[file]


@pytest.mark.parametrize("file", BUILDKIT)
def test_instructions_are_those_that_buildkit_reads(file: str) -> None:
    read = reading.read(reading.decode((FILES / file).read_bytes(), file), file, directives.READINGS[0])
    lines = [
        [each.line, each.line + each.lines - 1, each.keyword, list(each.flags)] for each in read.instructions
    ]
    assert BUILDKIT[file]["parse"] == {"escape": read.escape, "syntax": read.syntax, "instructions": lines}


@pytest.mark.parametrize("file", BUILDKIT)
def test_sources_are_those_in_the_definition_of_the_build(file: str) -> None:
    found = find((FILES / file).read_bytes())
    assert (
        sorted({in_llb(each) for each in found if each.kind != "frontend"})
        == BUILDKIT[file]["sources"]["sources"]
    )


@pytest.mark.parametrize("case", WORDS, ids=[each["text"] for each in WORDS])
def test_words_are_expanded_as_in_buildkit(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(words.WordError):
            words.expand(case["text"], case["variables"], case["escape"])
    else:
        assert words.expand(case["text"], case["variables"], case["escape"]) == case["word"]


def test_all_inputs_are_recorded() -> None:
    assert {path.name for path in FILES.glob("*.Dockerfile")} == set(BUILDKIT)


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
    ("FROM a:1 AS x\nFROM a:1 AS y\nCOPY --from=x / /\n", {}, ["a:1"]),
    ("ARG BASE='a:1'\nFROM $BASE\n", {}, ["a:1"]),
    ('ARG BASE="a:1" V=2\nFROM ${BASE}-$V\n', {}, ["a:1-2"]),
    ("ARG B=a:1\nFROM $B AS x\nARG B=b:2\nFROM $B AS y\nCOPY --from=x / /\n", {}, ["a:1"]),
    ("ARG D=\nFROM a:1${D:+-debug}\n", {"D": "1"}, ["a:1-debug"]),
    ("FROM a:1 AS Build\nFROM build\n", {}, ["a:1"]),
    ("FROM SCRATCH\n", {}, []),
    ("FROM alpine AS a\nRUN x \\", {}, ["alpine"]),
    ("FROM \\\n  alpine \\\n  AS a\nFROM a", {}, ["alpine"]),
]


@pytest.mark.parametrize(("text", "args", "expected"), DOCKERFILES)
def test_base_images_are_found(text: str, args: dict[str, str], expected: list[str]) -> None:
    assert [each.name for each in find(text, args=args)] == expected


def test_only_what_the_target_needs_counts_and_with_the_classic_builder_all_before_it() -> None:
    text = "FROM a:1 AS one\nFROM b:1 AS two\nFROM two AS three\nFROM c:1\n"
    assert names(text, stage="three") == ["base b:1"]
    assert names(text, stage="Three", buildkit=False) == ["base a:1", "base b:1"]
    assert names(text, stage="0") == ["base a:1"]
    assert "there is no stage 'four': its stages are: one, two, three" in refusal(text, stage="four")


def test_arguments_about_platforms_are_those_of_the_engine_and_of_buildkit_alone() -> None:
    text = "FROM a:1 AS files-arm64\nFROM b:1 AS files-amd64\nFROM files-$TARGETARCH\n"
    assert names(text) == ["base b:1"]
    assert names(text, platform=Platform("linux", "arm64")) == ["base a:1"]
    assert names(text, args={"TARGETARCH": "arm64"}) == ["base a:1"]
    assert "line 3: 'files-$TARGETARCH', which is 'files-'" in refusal(text, buildkit=False)


def test_onbuild_of_a_base_counts_once_the_base_is_known() -> None:
    text = "FROM tools AS tools\nFROM base:1 AS app\n"
    base = BaseImage(
        on_build=("COPY --from=tools /a /b", "COPY --from=other:1 /a /b", "ADD https://h/$V /c"),
        environment={"V": "7"},
    )
    assert names(text) == ["base base:1"]
    assert names(text, {"base:1": base}) == [
        "base tools",
        "base base:1",
        "image other:1",
        "remote https://h/7",
    ]
    broken = BaseImage(on_build=("FORM x",))
    with pytest.raises(SourceError, match="line 2, ONBUILD of base:1, line 1: 'FORM'"):
        find(text.replace("FROM tools AS tools", "FROM scratch"), {"base:1": broken})


def test_a_frontend_is_an_image_and_a_build_argument_comes_before_the_file() -> None:
    text = "# syntax = docker/dockerfile:1 more\nFROM a:1\n"
    assert names(text) == ["frontend docker/dockerfile:1", "base a:1"]
    assert names(text, args={"BUILDKIT_SYNTAX": " other/one:2 x"}) == ["frontend other/one:2", "base a:1"]
    assert names(text, buildkit=False) == ["base a:1"]
    assert names("FROM a:1\n# syntax=docker/dockerfile:1\n") == ["base a:1"]


def test_a_checksum_is_the_whole_digest_or_the_whole_commit() -> None:
    def checksum(flag: str) -> str:
        return find(f"FROM scratch\nADD {flag} https://h/f /f\n")[0].checksum

    assert checksum(f"--checksum=sha256:{SUM}") == f"sha256:{SUM}"
    assert checksum(f"--checksum={'b' * 40}") == f"gitCommit:{'b' * 40}"
    for flag in ("", "--checksum=sha256:ab", "--checksum=abcdef1", f"--checksum={'B' * 40}", "--checksum="):
        assert checksum(flag) == ""
    address = f"https://h/r.git#{'b' * 40}"
    assert find(f"FROM scratch\nADD {address} /f\n")[0].checksum == ""


REFUSED = [
    ("FROM\n", "line 1: 'FROM ' is not FROM IMAGE"),
    ("FROM a b\n", "line 1: 'FROM a b' is not FROM IMAGE"),
    ("FROM a AS 1st\n", "line 1: 'FROM a AS 1st' is not FROM IMAGE"),
    ("RUN true\nFROM a\n", "line 1: RUN before the first FROM"),
    ("ARG X\n", "line 1: there is no FROM"),
    ("\n# nothing\n", "Dockerfile has no instructions"),
    ("FROM a\nFORM b\n", "line 2: 'FORM' is no instruction"),
    ("FROM $NOTHING\n", "line 1: '$NOTHING', which is '' with the arguments of this build, is no image name"),
    ("FROM a:$NOTHING\n", "line 1: 'a:$NOTHING', which is 'a:'"),
    ("FROM ${X\n", "line 1: '${X' cannot be resolved"),
    ("FROM ${X:?needed}\n", "X: needed"),
    ("FROM A:1\n", "line 1: 'A:1' is no image name"),
    ("FROM --privileged\n", "line 1: 'FROM ' is not"),
    ("FROM a\nCOPY --from=$X / /\n", "line 2: '$X' has a variable"),
    ("FROM a\nRUN --mount=from=$X,target=/m true\n", "line 2: '$X' has a variable"),
    ("FROM a\nCOPY --from=1 / /\n", "line 2: there is no stage 1 before this one"),
    ("FROM a\nRUN --mount='type=bind,\"from=x' true\n", "line 2: --mount="),
    ("FROM --platform=$NONE a\n", "line 1: the platform '$NONE' is '', which is none"),
    ("# escape=x\nFROM a\n", "line 1: escape=x"),
    ("# syntax=a/b\n# syntax=c/d\nFROM a\n", "line 2: a second directive 'syntax'"),
    ("# syntax=-x\nFROM a\n", "line 1: '-x' is no image name"),
    ("FROM a AS x\nONBUILD FROM b\nFROM x\n", "line 2: ONBUILD without an instruction"),
]


@pytest.mark.parametrize(("text", "words_of_error"), REFUSED)
def test_what_cannot_be_resolved_is_an_error_with_its_line(text: str, words_of_error: str) -> None:
    assert words_of_error in refusal(text)


def test_large_and_deep_files_are_refused() -> None:
    assert "has more than 1048576 bytes" in refusal(b"#" * (1 << 20) + b"\n")
    assert "line 2: the line has more than" in refusal("FROM a\nRUN " + "x" * 70_000 + "\n")
    assert "line 10001: more than 10000 instructions" in refusal("FROM a\n" + "USER 1\n" * 10_001)
    assert "inside of each other" in refusal("FROM " + "${A:-" * 200 + "}" * 200 + "\n")
    assert "line 501: more than 500 stages" in refusal("FROM a\n" * 501)
    for pattern in ("***", "x" * 400):
        assert "a pattern may have" in refusal(f"ARG V=1\nFROM ${{V%{pattern}}}\n")
    doubling = "ARG A=xxxxxxxx\n" + "ARG A=$A$A\n" * 40 + "FROM $A\n"
    assert "a value has more than" in refusal(doubling)


AMBIGUOUS = [
    'FROM a:1 AS app\nRUN <<"RUN true"\nFROM hidden:1 AS app\nRUN true\n',
    "FROM a:1\nRUN cat << LABEL\\ a=b\nCOPY --from=hidden:1 /a /b\nLABEL a=b\n",
    "# note=x\n# syntax=hidden/frontend:1\nFROM a:1\n",
    "# note=x\n# escape=`\nFROM a:1 AS app\nRUN echo \\\nFROM hidden:1\nUSER 1\n",
]


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_a_file_that_builders_read_in_several_ways_is_refused(text: str) -> None:
    said = refusal(text)
    assert "builders do not read this file in the same way" in said
    assert "hidden" in said


def test_a_file_that_makes_sense_to_one_builder_alone_is_read_as_by_that_one() -> None:
    # To a builder without here-documents 'EOF' is no instruction; to one with them this has no end.
    assert names("FROM a:1\nRUN <<EOF\nCOPY --from=no:1 /a /b\nEOF\n") == ["base a:1"]
    assert names("FROM a:1\nRUN echo $((2 << 3))\nFROM b:1\n") == ["base b:1"]


TEXT = """\
# syntax=docker/dockerfile:1
ARG BASE=python:3.11
FROM ${BASE} AS release
ARG LEVEL=info
# a comment
RUN one && \\
    # between
    two
COPY <<END /etc/motd
FROM nothing
END
USER 1000

FROM release AS test
USER root
RUN three
FROM alpine AS other
"""


def test_a_stage_is_replaced_by_an_image_as_it_is() -> None:
    assert replace_stage(TEXT.encode(), "Dockerfile", "Release", "made:1") == (
        b"# syntax=docker/dockerfile:1\n"
        b"ARG BASE=python:3.11\n"
        b"FROM made:1 AS Release\n"
        b"ARG LEVEL=info\n"
        b"# a comment\n"
        b"\n"
        b"FROM release AS test\n"
        b"USER root\n"
        b"RUN three\n"
        b"FROM alpine AS other\n"
    )


def test_a_stage_is_replaced_whatever_the_file_has_besides_text() -> None:
    raw = b"\xef\xbb\xbf# Pr\xfcfung\r\nFROM a:1 AS app\r\nRUN bash -c 'x <<<y'\r\nFROM app AS test\r\n"
    assert replace_stage(raw, "Dockerfile", "app", "made:1") == (
        b"# Pr\xfcfung\r\nFROM made:1 AS app\nFROM app AS test\r\n"
    )


def test_without_the_stage_there_is_nothing_to_replace() -> None:
    assert replace_stage(TEXT.encode(), "Dockerfile", "released", "made:1") is None
    assert replace_stage(b"FROM alpine\n", "Dockerfile", "", "made:1") is None
