"""A release of Autoclave, for real: from the tag to a registry, a package index and a verified folder.

The step image takes minutes, and tests/pipelines/test_own_pipelines.py releases it. Here a small image is in
its place; everything else is the repository's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autoclave import __version__
from builders import registries
from builders.devices import KNOWN_BAD, ROOT, Repository, free_port, git, own_name

TAG = f"v{__version__}"
DEVICE = """
[device]
name = "{name}"
version = "{version}"
safety-class = "B"
requirements = "device/requirements.csv"
soup = "device/soup.toml"

[[image]]
name = "steps"
context = "device"

[unit-test]
command = ["python", "/autoclave/device/tests/check.py"]
copy = ["device/tests"]

[[environment]]
name = "published"
target = "registry"
"""


@contextmanager
def serve_index(folder: Path) -> Iterator[str]:
    """Run a package index that takes what is uploaded."""
    programs = output_of(ROOT / "setup/publishing.sh")
    port = free_port()
    # Its web framework refuses a form with more than 100 KiB in memory: a readme and a part of the wheel.
    larger = (
        "import pypiserver.bottle as bottle; bottle.BaseRequest.MEMFILE_MAX = 16 << 20; "
        "from pypiserver.__main__ import main; main()"
    )
    argv = [
        f"{programs}/python",
        "-c",
        larger,
        "run",
        "-i",
        "127.0.0.1",
        "-p",
        str(port),
        "-P",
        ".",
        "-a",
        ".",
        str(folder),
    ]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(300):
                try:
                    urllib.request.urlopen(address, timeout=2).close()
                    break
                except (urllib.error.URLError, OSError):
                    time.sleep(0.1)
            yield address
        finally:
            server.terminate()


def output_of(*words: str | Path, cwd: Path = ROOT, **variables: str) -> str:
    env = {**os.environ, **variables}
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Repository]:
    """This repository's commit with a small image, a section of the changelog, and the tag."""
    folder = tmp_path / "project"
    output_of("git", "clone", "-q", "--no-hardlinks", ROOT, folder)
    shutil.copytree(KNOWN_BAD / "control", folder / "device")
    text = DEVICE.format(name=own_name("t-own-release"), version=__version__)
    (folder / "autoclave.toml").write_text(text, "utf-8")
    repository = Repository(folder, tmp_path / "home")
    repository.edit(
        "CHANGELOG.md", "## [Unreleased]\n", f"## [Unreleased]\n\n## [{__version__}] - 2026-11-30\n"
    )
    repository.commit()
    git(folder, "tag", TAG)
    yield repository
    repository.remove()


def test_from_the_tag_to_registry_index_and_a_verified_folder(project: Repository, tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir()
    (tmp_path / "index").mkdir()
    with (
        registries.serve_with_referrers(tmp_path / "registry") as registry,
        serve_index(tmp_path / "index") as index,
    ):
        variables = {"AUTOCLAVE_STORE": f"oci+http://{registry}/autoclave"}
        assert project.run("run", "--to", "sign", **variables).code == 0
        deployed = project.run("deploy", "published", **variables)
        assert deployed.code == 0, deployed.err
        account = {"TWINE_USERNAME": "ci", "TWINE_PASSWORD": "ci", "AUTOCLAVE_INDEX": index}
        dist = tmp_path / "dist"
        env = project.environment | variables | account | {"AUTOCLAVE_PYTHON": sys.executable}
        output_of(project.folder / "setup/release.sh", TAG, dist, cwd=project.folder, **env)
        pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
        output_of(*pip, "--index-url", f"{index}/simple", "-d", tmp_path / "got", f"autoclave=={__version__}")
    (wheel,) = dist.glob("*.whl")
    assert (tmp_path / "got" / wheel.name).read_bytes() == wheel.read_bytes()
    names = {path.relative_to(dist).as_posix() for path in dist.rglob("*") if path.is_file()}
    assert names >= {
        f"autoclave-gitlab-templates-{__version__}.tar.gz",
        f"autoclave-jenkins-library-{__version__}.tar.gz",
        f"autoclave-documentation-{__version__}.tar.gz",
        f"autoclave-{__version__}.cdx.json",
        f"autoclave-{__version__}-steps.openvex.json",
        f"autoclave-{__version__}-steps.vex.cdx.json",
        f"autoclave-{__version__}.bundle.tar",
        "steps/release.html", "steps/release.json", "image.txt", "NOTES.md",
        "SHA256SUMS", "SHA256SUMS.sig", "SHA256SUMS.pub",
    }  # fmt: skip
    output_of("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS", cwd=dist)
    output_of("openssl", "base64", "-d", "-in", "SHA256SUMS.sig", "-out", tmp_path / "sig", cwd=dist)
    words = ("dgst", "-sha256", "-verify", "SHA256SUMS.pub", "-signature", tmp_path / "sig", "SHA256SUMS")
    assert output_of("openssl", *words, cwd=dist) == "Verified OK"
    assert project.run("verify", str(dist / f"autoclave-{__version__}.bundle.tar")).code == 0
    with tarfile.open(dist / f"autoclave-gitlab-templates-{__version__}.tar.gz") as archive:
        assert any(name.endswith("pipelines/gitlab/autoclave.yml") for name in archive.getnames())
    assert (dist / "NOTES.md").read_text("utf-8").startswith("### Added")


@pytest.mark.parametrize(
    ("tag", "why"),
    [
        ("0.1.0", "is not the tag of a release"),
        ("v9.9.9", "pyproject.toml says"),
        ("v0.1.0-rc1", "is not the tag of a release"),
    ],
)
def test_what_is_no_release_is_refused_before_anything_is_made(tmp_path: Path, tag: str, why: str) -> None:
    argv = [sys.executable, ROOT / "setup/release/assemble.py", tag, tmp_path / "dist"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert why in done.stderr
    assert not (tmp_path / "dist").exists()
