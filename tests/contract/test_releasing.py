"""What a release of Autoclave is made of, before anything is built."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from autoclave import __version__

ROOT = Path(__file__).resolve().parents[2]
LOG = """# Changelog

## [Unreleased]

- later

## [1.2.3] - 2026-12-01

### Added

- this

## [1.2.2] - 2026-11-01
"""


@pytest.fixture(scope="module")
def assemble() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "setup" / "release" / "assemble.py"))


def test_the_notes_are_the_section_of_the_version(assemble: dict[str, Any]) -> None:
    assert assemble["section"](LOG, "1.2.3") == "### Added\n\n- this\n"


@pytest.mark.parametrize("version", ["1.2.2", "1.2.4", "1.2", "Unreleased2", "1x2x3"])
def test_without_notes_there_is_no_release(assemble: dict[str, Any], version: str) -> None:
    with pytest.raises(assemble["Refused"], match="has no section"):
        assemble["section"](LOG, version)


def test_the_tag_is_the_version(assemble: dict[str, Any]) -> None:
    assert assemble["version_of"](f"v{__version__}") == __version__
    for tag in (
        __version__,
        f"v{__version__}-rc1",
        f"v{__version__}\n",
        "v1",
        f"refs/tags/v{__version__}",
        "--help",
    ):
        with pytest.raises(assemble["Refused"], match="is not the tag of a release"):
            assemble["version_of"](tag)
    with pytest.raises(assemble["Refused"], match=r"run setup/set-version\.sh 9\.9\.9"):
        assemble["version_of"]("v9.9.9")


def test_checksums_are_of_everything_but_themselves(assemble: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "b").write_bytes(b"")
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "SHA256SUMS.sig").write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert assemble["sums"](tmp_path) == f"{empty}  a\n{empty}  steps/b\n"


def test_both_hosts_make_it_of_a_tag_alone() -> None:
    job = YAML(typ="safe").load(ROOT / ".gitlab-ci.yml")["release"]
    assert job["rules"] == [{"if": "$CI_COMMIT_TAG"}]
    assert job["script"] == ['setup/release.sh "$CI_COMMIT_TAG" dist']
    jenkins = (ROOT / "Jenkinsfile").read_text("utf-8")
    assert "if (env.TAG_NAME) {" in jenkins
    assert """sh 'setup/release.sh "$TAG_NAME" dist'""" in jenkins
