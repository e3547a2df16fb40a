"""`autoclave clean` on real registries and the real engine: what is deleted there, and what must not be."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from securesystemslib.signer import CryptoSigner

from autoclave.actions import clean
from autoclave.build import RELEASED
from autoclave.cli.main import main
from autoclave.engines import create
from autoclave.engines.removal import find_unneeded
from autoclave.errors import StoreError
from autoclave.evidence import cosign, dsse
from autoclave.evidence.records import ARTIFACT_TYPE, PREDICATE_TYPE
from autoclave.evidence.statement import PROVENANCE, SEAL
from autoclave.runtime.shell import Shell
from autoclave.store.archive.write import write_archive
from autoclave.store.image import read_identity
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import CONFIG, LAYER, MANIFEST, Descriptor, Manifest, encode
from autoclave.store.registry.store import RegistryStore
from builders.registries import serve_debian, serve_with_referrers
from builders.sample_image import EMPTY, write_image

NOW = datetime.now(UTC)
BEFORE = NOW - timedelta(days=30)
STEPS = CryptoSigner.generate_ecdsa()


@pytest.fixture(params=[serve_debian, serve_with_referrers], ids=["without-api", "with-api"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "registry").mkdir()
    with request.param(tmp_path / "registry") as host:
        yield f"oci+http://{host}/devices/pump"


def open_store(address: str, folder: Path) -> RegistryStore:
    return RegistryStore(address, LayoutStore(folder / uuid4().hex), lambda _: None)


def attach(store: RegistryStore, image: Descriptor, kind: str, when: datetime) -> Descriptor:
    envelope = store.write(
        [dsse.sign(f"{kind} {when}".encode(), "application/vnd.in-toto+json", STEPS)],
        media_type=dsse.MEDIA_TYPE,
    )
    return store.attach(
        image,
        artifact_type=ARTIFACT_TYPE,
        layers=[envelope],
        annotations={PREDICATE_TYPE: kind, "org.opencontainers.image.created": when.isoformat()},
    )


def test_a_registry_keeps_what_is_named_sealed_signed_or_new(address: str, tmp_path: Path) -> None:
    store = open_store(address, tmp_path)
    old = BEFORE - timedelta(days=1)
    left, sealed, signed, fresh = (write_image(store, name.encode(), name="app") for name in "abcd")
    named = write_image(store, b"e", name="app")
    for image in (left, sealed, signed, fresh, named):
        attach(store, image, PROVENANCE, old)
    attach(store, sealed, SEAL, old)
    cosign.sign_image(store, signed.digest, "pump/app", STEPS)
    attach(store, fresh, PROVENANCE, NOW)

    store = open_store(address, tmp_path)  # as another machine, which has seen nothing
    made = clean.make_plan(store, store.inventory(), BEFORE, {})
    found = {each.digest for each in made.images}
    # With the referrers API, nothing in the registry's lists names an image that lost its tag.
    assert found == ({left.digest} if found else set())
    assert bool(found) == (not _has_api(store, left))
    assert store.remove(made.plan.removable) == [each.digest for each in made.images]

    store = open_store(address, tmp_path)
    for image in (sealed, signed, fresh, named):
        store.locate(image.digest)
        assert len(store.referrers(image.digest)) == (2 if image in (sealed, fresh) else 1)
    if found:
        with pytest.raises(StoreError):
            store.find_image(left.digest)
        assert store.inventory()
        assert clean.make_plan(store, store.inventory(), BEFORE, {}).images == []


def test_the_command_cleans_a_registry_and_the_copy_on_this_machine(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device = tmp_path / "device"
    device.mkdir()
    name = f"clean-{uuid4().hex[:8]}"
    text = f'[device]\nname = "{name}"\nversion = "1"\nsafety-class = "A"\n[[image]]\nname = "app"\n'
    (device / "autoclave.toml").write_text(text)
    store = open_store(address, tmp_path)
    left = write_image(store, b"a", name="app")
    named = write_image(store, b"b", name="app")
    attach(store, left, PROVENANCE, BEFORE - timedelta(days=1))
    words = ["clean", "-C", str(device), "--store", address]
    assert main(words) == 0
    assert "nothing was changed" in capsys.readouterr().err
    open_store(address, tmp_path).find_image(left.digest)
    cached = list((device / ".autoclave" / "registry" / "blobs" / "sha256").iterdir())
    assert cached
    for path in cached:
        os.utime(path, (0, 0))
    assert main([*words, "--remove"]) == 0
    said = capsys.readouterr().out
    assert "copy of the registry: " in said
    open_store(address, tmp_path).locate(named.digest)
    if "1 images deleted" in said:
        with pytest.raises(StoreError):
            open_store(address, tmp_path).find_image(left.digest)
    else:
        assert _has_api(store, left)


def _has_api(store: RegistryStore, image: Descriptor) -> bool:
    store.referrers(image.digest)
    return bool(store._referring._has_api)


def test_a_record_that_comes_meanwhile_saves_its_image(tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir()
    with serve_debian(tmp_path / "registry") as host:
        store = open_store(f"oci+http://{host}/devices/pump", tmp_path)
        left = write_image(store, b"a", name="app")
        write_image(store, b"b", name="app")
        attach(store, left, PROVENANCE, BEFORE - timedelta(days=1))
        made = clean.make_plan(store, store.inventory(), BEFORE, {})
        assert [each.digest for each in made.images] == [left.digest]
        attach(store, left, SEAL, NOW)
        assert store.remove(made.plan.removable) == []
        store.locate(left.digest)


def test_a_registry_that_deletes_nothing_says_so(tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir()
    with serve_debian(tmp_path / "registry", deletes=False) as host:
        store = open_store(f"oci+http://{host}/devices/pump", tmp_path)
        left = write_image(store, b"a", name="app")
        write_image(store, b"b", name="app")
        attach(store, left, PROVENANCE, BEFORE - timedelta(days=1))
        made = clean.make_plan(store, store.inventory(), BEFORE, {})
        with pytest.raises(StoreError, match="deletes nothing"):
            store.remove(made.plan.removable)


def test_the_engine_loses_names_that_are_old_and_keeps_what_runs(tmp_path: Path) -> None:
    engine = create("docker", Shell(), "")
    name = f"{RELEASED}/clean-{uuid4().hex[:8]}/app:1"
    store = LayoutStore(tmp_path / "store")
    image = write_engine_image(store)
    engine.load(write_archive(store, image.digest, name=""))
    engine.tag(read_identity(store, image.digest).config, name)
    try:
        (found,) = engine.list_images(name)
        assert found.named
        later = datetime.now(UTC) + timedelta(days=1)
        assert find_unneeded([found], {found.id}, later) == []
        assert find_unneeded([found], set(), BEFORE) == []
        assert find_unneeded([found], set(), later) == [found]
    finally:
        engine.remove_name(name)
    assert engine.list_images(name) == []
    assert engine.image(found.id) is None
    engine.remove_name(name)  # what is missing is no error
    assert engine.list_images("<none>") == []


def write_engine_image(store: LayoutStore) -> Descriptor:
    """Write an image with one empty layer that no other test has, as an engine takes it."""
    layer = store.write([EMPTY], media_type=LAYER)
    rootfs = {"type": "layers", "diff_ids": [layer.digest]}
    about = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": {"own": uuid4().hex}},
        "rootfs": rootfs,
    }
    config = store.write([json.dumps(about).encode()], media_type=CONFIG)
    raw = encode(Manifest(schema_version=2, media_type=MANIFEST, config=config, layers=[layer]))
    image = store.write([raw], media_type=MANIFEST)
    store.tag("app", image)
    return image
