"""Tampered records: the release gate stays closed, and so does deploy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import tampering
from builders.devices import Repository
from integration.known_bad import assert_not_signed, prepare_scanned

pytestmark = pytest.mark.xdist_group("control")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Repository]:
    """The control device, built, tested and scanned: a copy to tamper with."""
    with prepare_scanned(tmp_path) as repository:
        yield repository


def test_the_copied_release_verifies(here: Repository) -> None:
    assert here.run("sign").code == 0
    assert len(here.signatures()) == 1


def test_a_record_with_one_byte_changed(here: Repository) -> None:
    raw = tampering.envelope(here.store, tampering.VULNS).read_bytes()
    tampering.replace_envelope(here.store, tampering.VULNS, tampering.with_one_byte_changed(raw))
    assert_not_signed(here, "record with one byte changed", "signature does not match its content")


def test_a_record_damaged_on_disk(here: Repository) -> None:
    file = tampering.envelope(here.store, tampering.VULNS)
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(bytes(raw))
    assert_not_signed(here, "record damaged on disk", "vulns record")


def test_a_record_of_another_image_closes_the_release_gate(here: Repository) -> None:
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
    assert_not_signed(here, "record of another image attached to this one", "is about another image")


def test_a_record_by_an_unknown_key(here: Repository, tmp_path: Path) -> None:
    index = tampering.load(here.store)
    index["manifests"].remove(tampering.record(index, tampering.VULNS))
    tampering.save(here.store, index)
    stranger = Repository(here.folder, tmp_path / "stranger", here.port)
    assert stranger.run("scan", "--again").code == 0
    assert_not_signed(here, "record signed by an unknown key", "signed by an unknown key")


def test_a_record_by_an_unknown_key_beside_the_good_one_is_reported_and_closes_nothing(
    here: Repository, tmp_path: Path
) -> None:
    before = tampering.load(here.store)["manifests"]
    stranger = Repository(here.folder, tmp_path / "stranger", here.port)
    assert stranger.run("scan", "--again").code == 0
    added = [each for each in tampering.load(here.store)["manifests"] if each not in before]
    assert added
    signed = here.run("sign")
    assert signed.code == 0, signed.err
    assert "does not count: the record is signed by an unknown key" in signed.err
    # No seal names it: it can be removed again.
    index = tampering.load(here.store)
    index["manifests"] = [each for each in index["manifests"] if each not in added]
    tampering.save(here.store, index)
    assert here.run("verify").code == 0
    assert "does not count" not in here.run("sign", "--again").err


def test_a_deleted_scan_record_closes_the_release_gate(here: Repository) -> None:
    index = tampering.load(here.store)
    index["manifests"].remove(tampering.record(index, tampering.VULNS))
    tampering.save(here.store, index)
    assert_not_signed(here, "scan record deleted before sign", "no valid vulns record")


def test_the_image_of_another_device(here: Repository) -> None:
    here.edit("autoclave.toml", f'name = "{here.name}"', 'name = "t-other-device"')
    here.commit()
    says = "no valid provenance record is attached"
    assert_not_signed(here, "records call it an image of another device", says)
