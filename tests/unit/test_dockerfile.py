"""Reading a Dockerfile, and replacing one of its stages."""

from __future__ import annotations

from autoclave.dockerfile import bases, on_top_of

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
    assert on_top_of(TEXT, "Release", "made:1") == (
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
    assert on_top_of(TEXT, "released", "made:1") is None
    assert on_top_of("FROM alpine\n", "", "made:1") is None


def test_text_that_ends_in_the_middle_is_read_to_its_end() -> None:
    assert bases("FROM alpine AS a\nRUN x \\", {}) == ["alpine"]
    assert bases("FROM alpine AS a\nRUN <<E\nFROM b\n", {}) == ["alpine"]
    assert bases("FROM \\\n  alpine \\\n  AS a\nFROM a", {}) == ["alpine"]
