"""Publishing: a version's tag in the registry, given to what was released and to nothing else, once."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.devices import KNOWN_BAD, Repository
from builders.flow import device
from builders.registries import serve_with_referrers

PLACES = """
[[environment]]
name = "test"
target = "registry"

[[environment]]
name = "published"
target = "registry"
production = true
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_with_referrers(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture(scope="module")
def released(registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """A device whose release is in the registry."""
    with device(KNOWN_BAD / "control", tmp_path_factory.mktemp("device"), name="t-publish") as repository:
        with (repository.folder / "autoclave.toml").open("a", encoding="utf-8") as file:
            file.write(PLACES)
        repository.commit()
        repository.more["AUTOCLAVE_STORE"] = f"oci+http://{registry}/devices/control"
        done = repository.run("run", "--to", "sign")
        assert done.code == 0, done.err
        yield repository


def tags(registry: str) -> set[str]:
    """Return the tags of the repository that are no record's."""
    with urllib.request.urlopen(f"http://{registry}/v2/devices/control/tags/list", timeout=10) as answer:
        return {tag for tag in json.load(answer)["tags"] if not tag.startswith("sha256-")}


def test_a_release_is_published_under_its_version_and_status_finds_it(
    released: Repository, registry: str
) -> None:
    assert tags(registry) == {"app", "app.released", "newest.release"}
    done = released.run("deploy", "test")
    assert done.code == 0, done.err
    assert tags(registry) == {"app", "app.released", "newest.release", "1.0.0"}
    digest = done.out.split()[-1] if "sha256:" in done.out else ""
    status = released.run("status", "--json")
    lines = [json.loads(line) for line in status.out.splitlines()]
    (test,) = [each for each in lines if each.get("environment") == "test" and each.get("running")]
    assert test["verifies"] is True
    assert test["running"]["address"] == f"{registry}/devices/control:1.0.0"
    assert digest in ("", test["running"]["digest"])


def attached(registry: str, digest: str) -> set[str]:
    """Return the digests of all records of an image."""
    address = f"http://{registry}/v2/devices/control/referrers/{digest}"
    with urllib.request.urlopen(address, timeout=10) as answer:
        return {each["digest"] for each in json.load(answer)["manifests"]}


def test_a_repeated_publication_is_skipped(released: Repository, registry: str) -> None:
    first = released.run("deploy", "test")
    assert first.code == 0, first.err
    before = attached(registry, first.out.split()[-1])
    again = released.run("deploy", "test")
    assert again.code == 0, again.err
    assert "exactly these digests run there" in again.err
    assert attached(registry, again.out.split()[-1]) == before
    assert tags(registry) == {"app", "app.released", "newest.release", "1.0.0"}


def test_an_environment_that_is_declared_production_takes_no_development_key(
    released: Repository,
) -> None:
    done = released.run("deploy", "published")
    assert done.code == 25
    assert "signed by a development key" in done.message


def test_a_version_never_changes(released: Repository, registry: str) -> None:
    assert released.run("deploy", "test").code == 0
    source = released.folder / "app.py"
    source.write_text(source.read_text("utf-8") + "\nOTHER = True\n", "utf-8")
    released.commit()
    assert released.run("run", "--to", "sign").code == 0
    done = released.run("deploy", "test")
    assert done.code == 25
    assert "a published version never changes" in done.message
    assert "raise device.version" in done.message


def test_a_folder_is_no_place_to_publish_to(released: Repository, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    assert released.run("run", "--to", "sign", "--store", store).code == 0
    done = released.run("deploy", "test", "--store", store)
    assert done.code == 10
    assert "oci://HOST/REPOSITORY" in done.message
