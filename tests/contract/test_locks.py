"""What is locked: the step image has what Autoclave needs, as it is tested and as our SOUP register says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def read_lock(path: str) -> dict[str, str]:
    """Return the version of each package of a lock file, by normalized name."""
    return {normalize(name): version for name, version in _PINNED.findall((ROOT / path).read_text("utf-8"))}


def normalize(name: str) -> str:
    """Return a package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def list_needed() -> set[str]:
    """Return the packages that Autoclave itself names as needed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return {normalize(re.split(r"[><=~!;\[ ]", each)[0]) for each in project["dependencies"]}


def test_the_step_image_has_every_package_that_autoclave_needs() -> None:
    assert list_needed() - read_lock("pipelines/image/requirements.lock").keys() == set()


def test_the_step_image_has_the_versions_that_are_tested() -> None:
    tested = read_lock("requirements.lock")
    shipped = read_lock("pipelines/image/requirements.lock")
    assert {name: version for name, version in shipped.items() if tested.get(name, version) != version} == {}


def test_the_soup_register_names_every_package_that_autoclave_needs() -> None:
    register = tomllib.loads((ROOT / "soup.toml").read_text("utf-8"))["soup"]
    listed = {(each["component"], each["version"]) for each in register}
    shipped = read_lock("pipelines/image/requirements.lock")
    needed = {(f"pkg:pypi/{name}", shipped[name]) for name in list_needed()}
    assert needed - listed == set()
