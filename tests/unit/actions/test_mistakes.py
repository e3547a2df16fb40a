"""Mistakes of the first hour are answered before anything is built; docs/mistakes.md has the table."""

# ruff: noqa: E501 -- a file's text in one line reads better

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from msgspec import Struct

from autoclave.actions import validate
from autoclave.actions.starter.render import render
from builders.starter import draft_of, left_of
from pages import DOCS, Table

TABLE = Table(DOCS / "mistakes.md", "| mistake | it said | now |")

DEVICE = '[device]\nname = "pump"\nversion = "1.0.0"\nsafety-class = "A"\n'
IMAGE = '[[image]]\nname = "pump"\n'
SERVICE = "[image.service]\nport = 8080\n"
STAGED = "FROM python:3.12 AS build\nFROM python:3.12-slim AS release\nUSER 10001\nCMD a\nFROM build AS test\nRUN x\n"
SIMPLE = "FROM debian:12 AS release\nUSER 10001\nEXPOSE 8080\nHEALTHCHECK CMD a\nCMD a\n"
TESTS = '[unit-test]\ncommand = ["python", "-m", "pytest", "--junit-xml=/autoclave/results/{}.xml"]\n'


class Mistake(Struct, frozen=True, kw_only=True):
    """A mistake: the files with it, what it said at first, and words that the answer has now.

    Without an autoclave.toml among the files, `init` answers; otherwise `validate` does.
    """

    title: str
    files: Mapping[str, str]
    before: str
    now: tuple[str, ...]


MISTAKES = (
    Mistake(
        title="`init`, where the Dockerfiles have names and are below a folder",
        files={"sources/Dockerfile.importer": SIMPLE, "sources/Dockerfile.scorer": SIMPLE},
        before="init: No Dockerfile was found: write one, then correct the path here",
        now=('dockerfile = "Dockerfile.importer"', 'dockerfile = "Dockerfile.scorer"'),
    ),
    Mistake(
        title="`init`, with the folders svc-a and svc_a",
        files={"svc-a/Dockerfile": SIMPLE, "svc_a/Dockerfile": SIMPLE},
        before="init wrote two images of one name, and the next command: two images are called 'svc-a'",
        now=('name = "svc-a"', 'name = "svc-a-2"'),
    ),
    Mistake(
        title="a jar that Maven builds outside is copied",
        files={
            "Dockerfile": "FROM eclipse-temurin:21\nCOPY target/pump.jar /\nCMD a\n",
            "pom.xml": "<project/>",
        },
        before="build, exit code 30: the builder's COPY failed: no such file or directory",
        now=("Dockerfile copies 'target/pump.jar', which is no file of the commit",),
    ),
    Mistake(
        title='`version = "1.0 beta"`',
        files={"autoclave.toml": DEVICE.replace("1.0.0", "1.0 beta") + IMAGE, "Dockerfile": SIMPLE},
        before="device.version: expected `str` matching regex '^(?:[0-9A-Za-z][0-9A-Za-z.+-]*)\\Z'",
        now=("device.version", "1.0 beta", "1.4.0"),
    ),
    Mistake(
        title='`memory = "512MB"`',
        files={"autoclave.toml": DEVICE + IMAGE + SERVICE + 'memory = "512MB"\n', "Dockerfile": SIMPLE},
        before="image[0].service.memory: expected `str` matching regex '^(?:[1-9][0-9]{0,15}[kmg]?)\\Z'",
        now=("service.memory", "512MB", "256m"),
    ),
    Mistake(
        title='`command = "pytest"`, as one text',
        files={"autoclave.toml": DEVICE + IMAGE + '[unit-test]\ncommand = "pytest"\n', "Dockerfile": SIMPLE},
        before="unit-test.command: expected `array`, got `str`; fix this key",
        now=("unit-test.command", "list"),
    ),
    Mistake(
        title="`target` names no stage of the Dockerfile",
        files={
            "autoclave.toml": DEVICE + IMAGE + 'target = "releas"\n' + TESTS.format("junit"),
            "Dockerfile": SIMPLE,
        },
        before="build, once the engine had answered and the bases were pulled: there is no stage 'releas'",
        now=("there is no stage 'releas'", "release"),
    ),
    Mistake(
        title="the test stage starts from the builder, not from what is released",
        files={
            "autoclave.toml": DEVICE
            + IMAGE
            + 'target = "release"\n'
            + TESTS.format("junit")
            + 'stage = "test"\n',
            "Dockerfile": STAGED,
        },
        before="unit-test, after the build: the tests ran in stage 'test', whose layers do not begin with those of the image under test",
        now=("the test stage 'test' does not start from the released stage",),
    ),
    Mistake(
        title="`copy` names a folder that is not there",
        files={
            "autoclave.toml": DEVICE + IMAGE + TESTS.format("junit") + 'copy = ["tests"]\n',
            "Dockerfile": SIMPLE,
        },
        before="unit-test, after the build: 'tests', which unit-test.copy names, does not exist",
        now=("'tests', which unit-test.copy names, does not exist", "relative to autoclave.toml"),
    ),
    Mistake(
        title="the command writes its report elsewhere",
        files={"autoclave.toml": DEVICE + IMAGE + TESTS.format("report"), "Dockerfile": SIMPLE},
        before="unit-test, after the tests ran: the tests wrote no JUnit report to /autoclave/results/junit.xml",
        now=(
            "writes /autoclave/results/report.xml, but unit-test.junit is junit.xml",
            'junit = ["report.xml"]',
        ),
    ),
    Mistake(
        title="class C without requirements and SOUP register",
        files={
            "autoclave.toml": DEVICE.replace('"A"', '"C"') + IMAGE + TESTS.format("junit"),
            "Dockerfile": SIMPLE,
        },
        before="sign, ten minutes later: the device names no SOUP register, which the policy demands",
        now=("the device names no requirements", "the device names no SOUP register"),
    ),
    Mistake(
        title="nothing shows that the service is healthy",
        files={
            "autoclave.toml": DEVICE
            + IMAGE
            + SERVICE
            + TESTS.format("junit")
            + '[[environment]]\nname = "staging"\n',
            "Dockerfile": "FROM scratch\nUSER 10001\nEXPOSE 8080\nCMD a\n",
        },
        before="deploy, after everything else: nothing shows its health: add health to [image.service], or a HEALTHCHECK to the image",
        now=("nothing shows that it is healthy", "health ="),
    ),
)


def answer(mistake: Mistake, folder: Path) -> str:
    """Return what a person reads."""
    if "autoclave.toml" not in mistake.files:
        draft = draft_of(mistake.files, name="pump")
        images = [line for line in render(draft).splitlines() if line.startswith(("name =", "dockerfile ="))]
        return "\n".join([*left_of(draft), *(line.partition("  #")[0].strip() for line in images[1:-1])])
    for name, text in mistake.files.items():
        (folder / name).write_text(text, "utf-8")
    found = validate.check(folder, "", date(2026, 11, 30))
    wanted = [each for each in found if each.level is not validate.Level.NOTE]
    return "\n".join(line for each in wanted for line in validate.format_finding(each, "-"))


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: each.title)
def test_a_mistake_is_answered_before_anything_is_built(mistake: Mistake, tmp_path: Path) -> None:
    said = answer(mistake, tmp_path)
    assert [each for each in mistake.now if each not in said] == []
    assert "regex" not in said
    assert "expected `" not in said


def test_the_page_has_every_mistake_with_its_answer(tmp_path: Path) -> None:
    rows = {}
    for number, mistake in enumerate(MISTAKES):
        folder = tmp_path / str(number)
        folder.mkdir()
        lines = [line.strip().removeprefix("- ") for line in answer(mistake, folder).splitlines()]
        shown = "<br>".join(line.replace(str(folder), "…") for line in lines)
        cells = [each.replace("|", "\\|") for each in (mistake.title, mistake.before, shown)]
        rows[mistake.title] = "| " + " | ".join(cells) + " |"
    if os.environ.get("AUTOCLAVE_WRITE_DOCS"):
        TABLE.write(rows, whole=True)
    assert TABLE.complaints(rows, whole=True) == []
