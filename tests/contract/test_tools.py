"""The table of tools agrees with what set-up builds, with the wheel, and with the page."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from autoclave.tools import table

ROOT = Path(__file__).resolve().parents[2]
LIB = (ROOT / "setup" / "lib.sh").read_text("utf-8")
PAGE = (ROOT / "docs" / "tools.md").read_text("utf-8")
BUILT = {name: tool for name, tool in table().items() if tool.build}
SET_UP = {"kubectl": "KUBERNETES_VERSION", "docker": "DOCKER_CLIENT_VERSION"}


@pytest.mark.parametrize("name", [*BUILT, "docker"])
def test_the_newest_tested_version_is_the_one_that_set_up_builds(name: str) -> None:
    variable = SET_UP.get(name, f"{name.upper()}_VERSION")
    found = re.search(rf'^{variable}="(.+?)"', LIB, re.MULTILINE)
    assert found
    assert table()[name].tested[-1] == found[1]


@pytest.mark.parametrize("name", table())
def test_what_is_tested_is_accepted_and_what_can_be_got_is_tested(name: str) -> None:
    tool = table()[name]
    assert tool.tested
    assert all(tool.accepted.has(each) for each in tool.tested)
    for source in filter(None, (tool.release, tool.build)):
        assert source.version in tool.tested
    assert tool.release or tool.build or tool.hint, "nobody could get it"


@pytest.mark.parametrize("name", [name for name, tool in table().items() if tool.release])
def test_release_files_are_of_that_version_and_each_has_a_digest_of_its_own(name: str) -> None:
    release = table()[name].release
    assert release
    assert all(release.version in file.url for file in release.files.values())
    digests = [file.sha256 for file in release.files.values()]
    assert len(set(digests)) == len(digests)
    assert "linux-amd64" in release.files


@pytest.mark.parametrize("name", BUILT)
def test_a_build_is_of_the_module_that_is_pinned(name: str) -> None:
    build = BUILT[name].build
    assert build
    assert all(build.version in each for each in build.set if "ersion=" in each or "app.ver" in each)
    pinned = (ROOT / "setup" / build.module / "go.mod").read_text("utf-8")
    required = re.findall(r"^\s*(?:require )?(\S+) v(\S+)", pinned, re.MULTILINE)
    assert any(build.package.startswith(module) and version == build.version for module, version in required)


def test_the_wheel_has_the_modules_that_are_built() -> None:
    hook = runpy.run_path(str(ROOT / "setup" / "wheel" / "hook.py"))
    assert set(hook["MODULES"]) == {tool.build.module for tool in BUILT.values() if tool.build}
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    for source, _ in hook["list_modules"](ROOT):
        assert source.is_file()
        assert f"!{source.relative_to(ROOT).as_posix()}" in ignored, "the step image's wheel needs it"


def test_the_page_has_the_table_of_this_code() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_tools.py"))
    assert made["page"](PAGE) == PAGE, "run: python docs/make_tools.py"
    assert all(f"| `{name}` |" in PAGE for name in table())
