"""The wheel as a stranger gets it: the same bytes twice, checked, installed alone, through all five steps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoclave import __version__
from builders.devices import ROOT, SAMPLE, Repository, copy_device
from builders.real_trivy import VARIABLES

PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def output_of(*words: str | Path, **variables: str) -> str:
    """Return what a command prints; it must end well."""
    env = {**os.environ, **variables}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the commit that is checked out."""
    return Path(output_of(ROOT / "setup/wheel.sh", tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command line in an environment that has nothing else, with what the package index has today."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    output_of(sys.executable, "-m", "venv", folder)
    output_of(folder / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel)
    return folder / "bin" / "autoclave"


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Repository]:
    """The sample, in a repository of its own."""
    repository = copy_device(SAMPLE, tmp_path, name="t-wheel")
    yield repository
    repository.remove()


def test_the_same_commit_gives_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    """Wherever it is built, under any umask, at any time."""
    before = os.umask(0o077)
    try:
        again = Path(output_of(ROOT / "setup/wheel.sh", tmp_path / "again", TZ="Asia/Tokyo", LC_ALL="C"))
    finally:
        os.umask(before)
    assert again.read_bytes() == wheel.read_bytes()


def test_it_has_every_file_of_the_commit_and_no_other(wheel: Path) -> None:
    listed = output_of(
        "git", "-C", ROOT, "ls-tree", "-r", "--name-only", "HEAD", "steps/autoclave"
    ).splitlines()
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        built = archive.read("autoclave/BUILT").decode()
    about = [name for name in names if name.startswith(f"autoclave-{__version__}.dist-info/")]
    modules = [name for name in names if name.startswith("autoclave/tools/modules/")]
    assert len(modules) == 11
    rest = set(names) - set(about) - set(modules) - {"autoclave/BUILT"}
    assert rest == {name.removeprefix("steps/") for name in listed}
    commit = output_of("git", "-C", ROOT, "rev-parse", "HEAD")
    day = output_of("git", "-C", ROOT, "log", "-1", "--date=format-local:%Y-%m-%d", "--format=%cd", TZ="UTC")
    assert built == f"{__version__} {commit} {day}\n"


def test_the_index_s_own_check_passes(wheel: Path) -> None:
    twine = Path(output_of(ROOT / "setup/publishing.sh")) / "twine"
    assert "PASSED" in output_of(twine, "check", "--strict", wheel, NO_COLOR="1", COLUMNS="500")


def test_what_is_installed_names_its_commit_and_works_before_anything_else(
    installed: Path, tmp_path: Path
) -> None:
    commit = output_of("git", "-C", ROOT, "rev-parse", "HEAD")
    said = output_of(installed, "--version")
    assert re.fullmatch(rf"autoclave {re.escape(__version__)} \(commit {commit[:12]} of [\d-]{{10}}\)", said)
    env = {"PATH": PROGRAMS, "HOME": str(tmp_path)}
    listed = subprocess.run(
        [installed, "tools"], cwd=tmp_path, env=env, capture_output=True, text=True, check=True, timeout=60
    )
    assert "get it: autoclave tools install trivy" in listed.stdout


def test_what_is_installed_takes_the_sample_through_all_five_steps(
    installed: Path, device: Repository, tmp_path: Path
) -> None:
    """With nothing of this checkout but the variables that name the scanner and its database."""
    scanner = {name: os.environ[name] for name in VARIABLES}
    env = {"PATH": PROGRAMS, "HOME": str(tmp_path / "home"), "LANG": "C.UTF-8", **scanner}
    done = subprocess.run(
        [installed, "run", "--environment", "staging"],
        cwd=device.folder / "tests", env=env, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for step in ("build", "unit-test", "scan", "sign", "deploy"):
        assert re.search(rf"^\S+ {step} +✔ passed", done.stderr, re.MULTILINE), done.stderr
    shown = subprocess.run(
        [installed, "status"],
        cwd=device.folder,
        env=env,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "healthy, verifies" in shown.stdout
