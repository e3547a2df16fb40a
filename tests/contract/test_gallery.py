"""The gallery's files say the same: versions, links, ports, registers, and the starters of the CI hosts."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from autoclave.device.device_file import load
from autoclave.device.requirements import read
from autoclave.hosts import gitlab, jenkins
from builders.devices import ROOT

EXAMPLES = ROOT / "examples"
GALLERY = [EXAMPLES / name for name in ("dose-engine", "ecg-viewer", "infusion-gateway")]
DEVICES = [path.parent for path in sorted(EXAMPLES.glob("*/autoclave.toml"))]


def toml(path: Path) -> Any:
    return tomllib.loads(path.read_text("utf-8"))


def test_every_device_beside_the_two_first_is_in_the_gallery() -> None:
    assert set(DEVICES) - {EXAMPLES / "pulse-oximeter", EXAMPLES / "remote-monitoring"} == set(GALLERY)


@pytest.mark.parametrize("folder", GALLERY, ids=lambda path: path.name)
def test_a_device_has_all_that_a_repository_needs(folder: Path) -> None:
    files = {"README.md", "Dockerfile", ".dockerignore", ".gitignore", "requirements.csv", "soup.toml"}
    assert files - {path.name for path in folder.iterdir()} == set()
    assert load(folder).device.safety_class in {"B", "C"}


@pytest.mark.parametrize("folder", GALLERY, ids=lambda path: path.name)
def test_the_ci_files_are_what_init_writes(folder: Path) -> None:
    for host in (gitlab, jenkins):
        starter = host.create().starter("0.1.0")
        assert starter is not None
        assert (folder / starter.name).read_bytes() == starter.content
    assert "staging" in {each.name for each in load(folder).environment}


@pytest.mark.parametrize("folder", GALLERY, ids=lambda path: path.name)
def test_every_requirement_is_linked_or_named_by_a_test(folder: Path) -> None:
    device = load(folder)
    assert device.device.requirements
    known = {each.id for each in read(folder, device.device.requirements)}
    links = folder / "links.toml"
    if links.exists():
        named = {each for link in toml(links)["link"] for each in link["requirements"]}
    else:
        text = "".join(path.read_text("utf-8") for path in (folder / "tests").iterdir())
        named = {each for words in re.findall(r'"requirement", "([^"]*)"', text) for each in words.split(",")}
    assert named == known


def test_no_two_devices_publish_one_port() -> None:
    ports = [
        port for folder in DEVICES for each in load(folder).environment for port in each.publish.values()
    ]
    assert len(ports) == len(set(ports)) == 4


def test_one_version_is_named_everywhere() -> None:
    package = json.loads((EXAMPLES / "ecg-viewer" / "package.json").read_text("utf-8"))
    assert package["version"] == load(EXAMPLES / "ecg-viewer").device.version
    gateway = load(EXAMPLES / "infusion-gateway")
    assert gateway.image[0].args == {"VERSION": gateway.device.version}
    own = [
        each
        for each in toml(EXAMPLES / "infusion-gateway/soup.toml")["soup"]
        if "example.org" in each["component"]
    ]
    assert [each["version"] for each in own] == [gateway.device.version]
