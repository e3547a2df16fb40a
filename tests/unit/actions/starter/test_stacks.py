"""What each stack's files say: version, name, tests and their report."""

# ruff: noqa: E501 -- a file's text in one line reads better

from __future__ import annotations

import pytest

from autoclave.actions.starter import stacks
from autoclave.actions.starter.facts import Project
from builders.starter import device_file, draft_of, left_of, repository_of


def project_of(files: dict[str, str]) -> Project:
    """Return the first project that the files make."""
    found, _ = stacks.find(repository_of(files))
    return found[0]


@pytest.mark.parametrize(
    ("files", "stack", "version", "tool"),
    [
        ({"pyproject.toml": '[project]\nname = "a"\nversion = "1.2.3"\n', "tests/test_a.py": ""}, "python", "1.2.3", "pytest"),
        ({"pyproject.toml": '[tool.poetry]\nname = "a"\nversion = "2.0"\n', "test/test_a.py": ""}, "python", "2.0", "pytest"),
        ({"setup.cfg": "[metadata]\nname = a\nversion = 4.5\n", "a_test.py": ""}, "python", "4.5", "pytest"),
        ({"requirements.txt": "x\n", "dose/__init__.py": '__version__: str = "7.1"\n'}, "python", "7.1", ""),
        ({"package.json": '{"version": "1.0.0", "scripts": {"test": "jest"}}'}, "node", "1.0.0", "Jest"),
        ({"package.json": '{"version": "1.0.0", "scripts": {"test": "node --test"}}'}, "node", "1.0.0", "node:test"),
        ({"package.json": '{"scripts": {"test": "playwright test"}}'}, "node", "", "Playwright"),
        ({"package.json": '{"scripts": {"test": "gulp check"}, "devDependencies": {"mocha": "1"}}'}, "node", "", "Mocha"),
        ({"package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\""}}'}, "node", "", ""),
        ({"pom.xml": "<project><version>3</version></project>", "src/test/java/A.java": ""}, "maven", "3", "JUnit"),
        ({"build.gradle": 'plugins {}\nversion = "5.1"\n', "src/test/java/A.java": ""}, "gradle", "5.1", "JUnit"),
        ({"build.gradle.kts": "", "gradle.properties": "version=6.0\n", "src/test/A.kt": ""}, "gradle", "6.0", "JUnit"),
        ({"go.mod": "module example.org/x/v2\n", "a_test.go": "", "VERSION": "v1.9.0\n"}, "go", "1.9.0", "gotestsum"),
        ({"Cargo.toml": '[package]\nname = "a"\nversion = "0.3.0"\n', "tests/a.rs": ""}, "cargo", "0.3.0", "nextest"),
        ({"Cargo.toml": '[workspace.package]\nversion = "0.4.0"\n[workspace]\n'}, "cargo", "0.4.0", ""),
        ({"CMakeLists.txt": "project(a VERSION 1.1)\nadd_executable(a_tests x)\n# Catch2"}, "cmake", "1.1", "Catch2"),
        ({"CMakeLists.txt": "project(a)\nadd_executable(a_test x)\n"}, "cmake", "", "CTest"),
        ({"tests/pump.bats": ""}, "shell", "", "Bats"),
    ],
)  # fmt: skip
def test_a_project_file_gives_version_and_tests(
    files: dict[str, str], stack: str, version: str, tool: str
) -> None:
    found = project_of(files)
    assert (found.stack, found.version, found.tests.tool if found.tests else "") == (stack, version, tool)


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": "[tool.ruff]\nline-length = 100\n"},
        {"CMakeLists.txt": "add_library(part x.cpp)\n"},
        {"pom.xml": "<settings/>"},
        {"go.mod": "// nothing\n"},
        {"dose/__init__.py": '__version__ = "1"\n'},
    ],
)
def test_files_that_make_no_project_make_none(files: dict[str, str]) -> None:
    assert stacks.find(repository_of(files)) == ([], [])


def test_pytest_that_is_released_needs_no_stage() -> None:
    files = {"Dockerfile": "FROM python:3.12\nRUN pip install -r r\n", "tests/test_a.py": ""}
    with_it = device_file(draft_of({**files, "requirements.txt": "pytest==9\n"}))
    without = device_file(draft_of({**files, "requirements.txt": "pytest-cov==9\n"}))
    assert "stage" not in with_it["unit-test"]
    assert without["unit-test"]["stage"] == "test"
    assert without["image"][0]["target"] == "release"


def test_a_test_stage_that_is_there_is_taken() -> None:
    file = "FROM python:3.12 AS release\nFROM release AS test\nRUN pip install pytest\n"
    data = device_file(draft_of({"Dockerfile": file, "requirements.txt": "", "tests/test_a.py": ""}))
    assert (data["image"][0]["target"], data["unit-test"]["stage"]) == ("release", "test")


def test_a_test_stage_on_other_layers_is_said() -> None:
    file = "FROM python:3.12 AS build\nFROM build AS test\nFROM python:3.12-slim AS release\nCMD a\n"
    draft = draft_of({"Dockerfile": file, "requirements.txt": "", "tests/test_a.py": ""})
    assert any("stage 'test' is not based on the released one" in each for each in left_of(draft))
    assert device_file(draft)["unit-test"]["stage"] == "tests"


def test_a_bare_image_gets_a_shell_for_its_tests_alone() -> None:
    file = 'FROM golang:1.25 AS build\nWORKDIR /src\nCOPY . .\nFROM scratch AS release\nCMD ["/a"]\n'
    draft = draft_of({"Dockerfile": file, "go.mod": "module a\n", "a_test.go": ""})
    assert "/opt/tests/sh" in device_file(draft)["unit-test"]["command"]
    assert "COPY --from=busybox:1.37 /bin/busybox /opt/tests/sh" in draft.parts[0].stage_lines


def test_every_stack_names_files_and_reads_them_alone() -> None:
    for stack in stacks.all_stacks():
        assert stack.files
    assert set(stacks.bases()) >= {"python", "node", "maven", "gradle", "go", "cargo", "cmake", "shell"}
