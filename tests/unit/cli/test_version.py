"""Which version of which commit a package is, built or not."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from autoclave.cli import version
from autoclave.runtime import version as places

COMMIT = "4ec58bd82b0e21f4d0a1b9b9b4f1c7a3d2e5f607"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that is neither in a checkout nor built, unless a test makes it so."""
    monkeypatch.setattr(places, "PACKAGE", tmp_path)
    monkeypatch.setattr(places, "CHECKOUT", tmp_path)
    monkeypatch.setattr(version, "CHECKOUT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (f"1.2.3 {COMMIT} 2026-11-30\n", "commit 4ec58bd82b0e of 2026-11-30"),
        (f"1.2.3 {COMMIT}-modified 2026-11-30\n", "commit 4ec58bd82b0e-modified of 2026-11-30"),
        ("1.2.3 unknown 1970-01-01\n", "built outside of git"),
    ],
)
def test_a_wheel_names_its_commit(package: Path, line: str, text: str) -> None:
    (package / places.BUILT).write_text(line)
    assert places.find_version() == "1.2.3"
    assert version.describe_origin() == text


@pytest.mark.parametrize("line", ["", "1.2.3\n", "1 2 3 4\n", b"\xff\xfe"])
def test_a_damaged_file_of_the_wheel_is_as_none(package: Path, line: str | bytes) -> None:
    (package / places.BUILT).write_bytes(line if isinstance(line, bytes) else line.encode())
    (package / "pyproject.toml").write_text('[project]\nversion = "9.8.7"\n')
    assert places.find_version() == "9.8.7"
    assert version.describe_origin() == "commit unknown"


def test_a_package_without_both_says_so(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", fail)
    assert places.find_version() == "unknown"
