"""Reading a Dockerfile, and replacing one of its stages."""

from __future__ import annotations

import pytest

from autoclave.device.dockerfile import bases, replace_stage

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


def test_bases_are_found_and_here_documents_are_not() -> None:
    assert bases(TEXT, {}) == ["python:3.11", "alpine"]
    assert bases(TEXT, {"BASE": "mine"}) == ["mine", "alpine"]


def test_a_stage_is_replaced_by_an_image_as_it_is() -> None:
    assert replace_stage(TEXT, "Release", "made:1") == (
        "# syntax=docker/dockerfile:1\n"
        "ARG BASE=python:3.11\n"
        "FROM made:1 AS Release\n"
        "ARG LEVEL=info\n"
        "# a comment\n"
        "\n"
        "FROM release AS test\n"
        "USER root\n"
        "RUN three\n"
        "FROM alpine AS other\n"
    )


def test_without_the_stage_there_is_nothing_to_replace() -> None:
    assert replace_stage(TEXT, "released", "made:1") is None
    assert replace_stage("FROM alpine\n", "", "made:1") is None


def test_text_that_ends_in_the_middle_is_read_to_its_end() -> None:
    assert bases("FROM alpine AS a\nRUN x \\", {}) == ["alpine"]
    assert bases("FROM alpine AS a\nRUN <<E\nFROM b\n", {}) == ["alpine"]
    assert bases("FROM \\\n  alpine \\\n  AS a\nFROM a", {}) == ["alpine"]


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
