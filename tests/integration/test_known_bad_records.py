"""Records that somebody tampered with: the release gate stays closed, and so does deploy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration import tampering
from integration.devices import KNOWN_BAD, Repository, copied
from integration.known_bad import stopped


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """The control device, built, tested and scanned; nothing wrong with it."""
    repository = copied(KNOWN_BAD / "control", tmp_path_factory.mktemp("scanned"), name="t-records")
    done = repository.run("run", "--to", "scan")
    assert done.code == 0, done.err
    done = repository.run("unit-test")
    assert done.code == 0, done.err
    yield repository
    repository.remove()


@pytest.fixture
def here(scanned: Repository, tmp_path: Path) -> Repository:
    """A copy of it to tamper with."""
    shutil.copytree(scanned.folder, tmp_path / "device", symlinks=True)
    return Repository(tmp_path / "device", scanned.home, scanned.port)


def test_nothing_is_wrong_with_the_copy(here: Repository) -> None:
    assert here.run("sign").code == 0
    assert len(here.signatures()) == 1


def refused(here: Repository, case: str, says: str) -> None:
    done = here.run("sign")
    stopped(case, here, done, step="sign", code=24, says=says)
    assert here.run("deploy", "staging").code == 25
    assert here.containers() == []


def test_a_record_with_one_byte_changed(here: Repository) -> None:
    raw = tampering.envelope(here.store, tampering.VULNS).read_bytes()
    tampering.replace_envelope(here.store, tampering.VULNS, tampering.with_one_byte_changed(raw))
    refused(here, "record with one byte changed", "signature does not fit its content")


def test_a_record_damaged_on_disk(here: Repository) -> None:
    file = tampering.envelope(here.store, tampering.VULNS)
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(bytes(raw))
    refused(here, "record damaged on disk", "vulns record")


def test_a_record_of_another_image(here: Repository) -> None:
    index = tampering.load(here.store)
    first = tampering.record(index, tampering.VULNS)
    envelope = tampering.envelope(here.store, tampering.VULNS).read_bytes()
    here.edit("autoclave.toml", 'version = "1.0.0"', 'version = "1.0.1"')
    here.commit()
    assert here.run("run", "--to", "unit-test").code == 0
    done = here.run("scan")
    assert done.code == 0, done.err
    second = tampering.record(tampering.load(here.store), tampering.VULNS)
    assert first["digest"] != second["digest"]
    subject = json.loads(tampering.blob(here.store, second["digest"]).read_bytes())["subject"]
    tampering.replace_envelope(here.store, tampering.VULNS, envelope, subject=subject)
    refused(here, "record of another image attached to this one", "is about another image")


def test_a_record_by_an_unknown_key(here: Repository, tmp_path: Path) -> None:
    stranger = Repository(here.folder, tmp_path / "stranger", here.port)
    assert stranger.run("scan", "--again").code == 0
    refused(here, "record signed by an unknown key", "signed by an unknown key")


def test_a_deleted_scan_record(here: Repository) -> None:
    index = tampering.load(here.store)
    index["manifests"].remove(tampering.record(index, tampering.VULNS))
    tampering.save(here.store, index)
    refused(here, "scan record deleted before sign", "no valid vulns record")


def test_the_image_of_another_device(here: Repository) -> None:
    here.edit("autoclave.toml", f'name = "{here.name}"', 'name = "t-other-device"')
    here.commit()
    says = "no valid provenance record is attached"
    refused(here, "records call it an image of another device", says)
