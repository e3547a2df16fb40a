"""The inventory of an image in a store: what its layers say, and what identifies a secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from autoclave import inventory
from autoclave.errors import StoreError
from autoclave.model.digest import digest_of
from autoclave.model.facts import Finding, Kind, Severity
from autoclave.model.inventory import Contents
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import CONFIG, LAYER, MANIFEST, Descriptor, Manifest, encode
from builders.layers import Change, archive

SECRET = Finding(
    id="private-key", kind=Kind.SECRET, severity=Severity.HIGH, title="a key", target="/srv/key.pem"
)


def write(store: LayoutStore, *layers: Change, **config: Any) -> Descriptor:
    archives = [archive(each) for each in layers]
    rootfs = {"type": "layers", "diff_ids": [digest_of(each) for each in archives]}
    manifest = Manifest(
        schema_version=2,
        media_type=MANIFEST,
        config=store.write([json.dumps({"rootfs": rootfs, **config}).encode()], media_type=CONFIG),
        layers=[store.write([each], media_type=LAYER) for each in archives],
    )
    return store.write([encode(manifest)], media_type=MANIFEST)


def test_an_image_without_a_system_has_no_database(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    read = inventory.read(store, write(store, {"app": "program"}).digest)
    assert read.contents == Contents()


def test_a_secret_is_identified_by_the_digest_of_its_file_in_its_layer(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    lower, upper = {"srv/key.pem": "one"}, {"srv/key.pem": "other"}
    read = inventory.read(store, write(store, lower, upper).digest)
    for change, content in ((lower, b"one"), (upper, b"other")):
        finding = replace(SECRET, layer=digest_of(archive(change)))
        assert read.identify(finding).fingerprint == digest_of(content)
    assert read.identify(SECRET).fingerprint == ""


def test_commands_are_those_of_the_layers_alone(tmp_path: Path) -> None:
    status = "Package: curl\nStatus: install ok installed\nVersion: {}\n\n"
    path = "var/lib/dpkg/status"
    history = [
        {"created_by": "ADD rootfs.tar /"},
        {"created_by": "ENV A=1", "empty_layer": True},
        {"created_by": "COPY status /var/lib/dpkg/"},
    ]
    store = LayoutStore(tmp_path)
    layers = ({path: status.format(1)}, {path: status.format(2)})
    (found,) = inventory.read(store, write(store, *layers, history=history).digest).contents.databases
    assert found.defect == "was overwritten: COPY status /var/lib/dpkg/"
    # A history that does not fit the layers says nothing.
    (found,) = inventory.read(store, write(store, *layers, history=history[:2]).digest).contents.databases
    assert found.defect == ""


def test_the_releases_of_an_alpine_are_read(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    lines = "https://dl-cdn.alpinelinux.org/alpine/v3.20/main\nhttp://mirror.example/alpine/edge/testing\n/local\n"
    read = inventory.read(store, write(store, {"etc/apk/repositories": lines}).digest)
    assert read.contents.releases == ("3.20", "edge")


def test_a_layer_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    manifest = Manifest(
        schema_version=2,
        media_type=MANIFEST,
        config=store.write([b"{}"], media_type=CONFIG),
        layers=[store.write([b"not an archive"], media_type=LAYER)],
    )
    with pytest.raises(StoreError):
        inventory.read(store, store.write([encode(manifest)], media_type=MANIFEST).digest)
