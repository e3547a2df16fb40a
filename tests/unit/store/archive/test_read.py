"""Engine archives: each form an engine writes gives exactly the image it built, or an error.

The archives are made here as the engines make them. Sources: moby `image/tarexport/save.go` (20.10: no blobs
folder; 25: `blobs/sha256`, a made-up OCI manifest, sometimes without layers), containerd
`core/images/archive/exporter.go` (containerd image store: sorted names, the image's own manifest or index).
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from autoclave.errors import StoreError
from autoclave.model.digest import digest_of
from autoclave.store.archive.read import read_archive
from autoclave.store.archive.write import write_archive
from autoclave.store.image import ImageIdentity, is_built_on, read_identity
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import CONFIG, INDEX, LAYER, MANIFEST, Descriptor

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
BASE, APP = b"base layer " * 20_000, b"app layer " * 10


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "store")


def config_of(*layers: bytes, **run: Any) -> bytes:
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": run,
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
        }
    ).encode()


def pack(files: dict[str, bytes | str], *, folders: bool = True) -> bytes:
    """A tar of files (bytes) and symbolic links (text)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder in sorted({name.rpartition("/")[0] for name in files} - {""}) if folders else ():
            info = tarfile.TarInfo(folder)
            info.type = tarfile.DIRTYPE
            tar.addfile(info)
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def hex_of(raw: bytes) -> str:
    return digest_of(raw)[7:]


def blobs(*raws: bytes) -> dict[str, bytes | str]:
    return {f"blobs/sha256/{hex_of(raw)}": raw for raw in raws}


def describe(media_type: str, raw: bytes, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(raw), "size": len(raw), **more}


def manifest_of(config: bytes, /, *layers: bytes, layer: str = LAYER, **more: Any) -> bytes:
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": describe(CONFIG, config),
            "layers": [describe(layer, raw) for raw in layers],
        }
        | more
    ).encode()


def docker_20(config: bytes, *layers: bytes) -> bytes:
    """As `docker save` of 20.10: equal layers are links, which may point forward; manifest.json is last."""
    files: dict[str, bytes | str] = {}
    first: dict[bytes, int] = {}
    for number, layer in enumerate(layers):
        first.setdefault(layer, number)
        files[f"{number:064x}/VERSION"] = b"1.0"
        files[f"{number:064x}/json"] = json.dumps({"id": f"{number:064x}"}).encode()
        files[f"{number:064x}/layer.tar"] = (
            layer if first[layer] == number else f"../{first[layer]:064x}/layer.tar"
        )
    files = dict(sorted(files.items(), reverse=True))
    files[f"{hex_of(config)}.json"] = config
    entry = {
        "Config": f"{hex_of(config)}.json",
        "RepoTags": ["app:1"],
        "Layers": [f"{number:064x}/layer.tar" for number in range(len(layers))],
    }
    return pack(files | {"manifest.json": json.dumps([entry]).encode(), "repositories": b"{}"})


def docker_25(config: bytes, *layers: bytes, manifest: bytes = b"") -> bytes:
    """As `docker save` of 25 and later with the classic image store."""
    manifest = manifest or manifest_of(config, *layers)
    entry = {
        "Config": f"blobs/sha256/{hex_of(config)}",
        "RepoTags": None,
        "Layers": [f"blobs/sha256/{hex_of(layer)}" for layer in layers],
    }
    return pack(
        blobs(b'{"id":"v1"}', config, *layers, manifest)
        | {
            "index.json": json.dumps(
                {"schemaVersion": 2, "manifests": [describe(MANIFEST, manifest)]}
            ).encode(),
            "manifest.json": json.dumps([entry]).encode(),
            "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        }
    )


def containerd(*raws: bytes, top: bytes) -> bytes:
    """As `docker save` with the containerd image store."""
    index = json.dumps({"schemaVersion": 2, "manifests": [describe(MANIFEST, top)]}).encode()
    files = blobs(*raws, top) | {"index.json": index, "oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    return pack(dict(sorted(files.items())))


def blob_names(store: LayoutStore) -> set[str]:
    return {path.name for path in (store.root / "blobs" / "sha256").iterdir()}


# --- taking


def test_the_old_form_gives_the_built_image_byte_for_byte(store: LayoutStore) -> None:
    config = config_of(BASE, APP, BASE, APP)
    image = read_archive([docker_20(config, BASE, APP, BASE, APP)], store, image_id=digest_of(config))
    manifest = json.loads(store.read(image.digest))
    assert manifest == {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": describe(CONFIG, config),
        "layers": [describe(LAYER, layer) for layer in (BASE, APP, BASE, APP)],
    }
    assert store.read(digest_of(config)) == config
    assert b"".join(store.chunks(digest_of(BASE))) == BASE
    assert blob_names(store) == {hex_of(config), hex_of(BASE), hex_of(APP), image.digest[7:]}, (
        "nothing else is kept"
    )


def test_every_classic_engine_gives_the_same_digest(tmp_path: Path) -> None:
    config = config_of(BASE, APP)
    lean = manifest_of(config)  # moby once wrote no layers into its made-up manifest
    digests = {
        read_archive([raw], LayoutStore(tmp_path / f"{number}"), image_id=digest_of(config)).digest
        for number, raw in enumerate(
            [
                docker_20(config, BASE, APP),
                docker_25(config, BASE, APP),
                docker_25(config, BASE, APP, manifest=lean),
                docker_25(
                    config, BASE, APP, manifest=manifest_of(config, BASE, APP, annotations={"made": "up"})
                ),
            ]
        )
    }
    assert len(digests) == 1


def test_the_containerd_form_keeps_the_engines_own_manifest(store: LayoutStore) -> None:
    zipped = gzip.compress(BASE, mtime=0)
    config = config_of(BASE)
    manifest = manifest_of(config, zipped, layer=LAYER + "+gzip", annotations={"z": "1", "a": "2"})
    image = read_archive([containerd(config, zipped, top=manifest)], store, image_id=digest_of(manifest))
    assert image == Descriptor(media_type=MANIFEST, digest=digest_of(manifest), size=len(manifest))
    assert store.read(image.digest) == manifest
    assert store.read(digest_of(zipped)) == zipped


def test_docker_media_types_are_kept(store: LayoutStore) -> None:
    zipped = gzip.compress(APP, mtime=0)
    config = config_of(APP)
    manifest = manifest_of(config, zipped, layer=DOCKER_LAYER, mediaType=DOCKER_MANIFEST,
                           config=describe(DOCKER_CONFIG, config))  # fmt: skip
    image = read_archive([containerd(config, zipped, top=manifest)], store, image_id=digest_of(manifest))
    store.tag("app", image)
    assert store.find_image(image.digest).media_type == DOCKER_MANIFEST


def test_a_configuration_id_with_zipped_layers_leads_to_the_manifest_beside_it(store: LayoutStore) -> None:
    zipped = gzip.compress(APP, mtime=0)
    config = config_of(APP)
    manifest = manifest_of(config, zipped, layer=LAYER + "+gzip")
    image = read_archive([containerd(config, zipped, top=manifest)], store, image_id=digest_of(config))
    assert image.digest == digest_of(manifest)


def with_attestation(
    config: bytes, layer: bytes, *, others: int = 0, keep_others: bool = False
) -> tuple[bytes, bytes, bytes]:
    manifest = manifest_of(config, layer)
    attestation_config = config_of()
    attestation = manifest_of(attestation_config, b"{}", layer="application/vnd.in-toto+json")
    unknown = {"os": "unknown", "architecture": "unknown"}
    foreign = [manifest_of(config, layer, annotations={"n": str(number)}) for number in range(others)]
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [
                describe(MANIFEST, manifest, platform={"os": "linux", "architecture": "amd64"}),
                *(
                    describe(MANIFEST, other, platform={"os": "linux", "architecture": "arm"})
                    for other in foreign
                ),
                describe(MANIFEST, attestation, platform=unknown),
            ],
        }
    ).encode()
    extra = foreign if keep_others else []
    return (
        index,
        manifest,
        containerd(config, layer, manifest, attestation, attestation_config, *extra, top=index),
    )


def test_an_index_leads_to_its_one_image_past_attestations_and_absent_platforms(store: LayoutStore) -> None:
    index, manifest, raw = with_attestation(config_of(APP), APP, others=2)
    image = read_archive([raw], store, image_id=digest_of(index))
    assert image.digest == digest_of(manifest)
    assert read_identity(store, image.digest).diff_ids == (digest_of(APP),)


def test_an_index_with_two_images_is_refused(store: LayoutStore) -> None:
    index, _, raw = with_attestation(config_of(APP), APP, others=1, keep_others=True)
    with pytest.raises(StoreError, match="does not name one image"):
        read_archive([raw], store, image_id=digest_of(index))


def test_a_large_configuration_is_taken_too(store: LayoutStore) -> None:
    config = config_of(APP, Labels={"x": "y" * 200_000})
    image = read_archive([docker_20(config, APP)], store, image_id=digest_of(config))
    assert read_identity(store, image.digest).labels["x"] == "y" * 200_000


def test_a_huge_configuration_is_refused(store: LayoutStore) -> None:
    config = config_of(APP, Labels={"x": "y" * 5_000_000})
    with pytest.raises(StoreError, match="too large"):
        read_archive([docker_20(config, APP)], store, image_id=digest_of(config))


def test_taking_twice_changes_nothing(store: LayoutStore) -> None:
    config = config_of(BASE, APP)
    raw = docker_20(config, BASE, APP)
    first = read_archive([raw], store, image_id=digest_of(config))
    path = store.root / "blobs" / "sha256" / hex_of(BASE)
    before = path.stat()
    assert read_archive([raw], store, image_id=digest_of(config)) == first
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


# --- refusing


@pytest.mark.parametrize("form", [docker_20, docker_25])
def test_another_image_than_was_built_is_refused(store: LayoutStore, form: Any) -> None:
    config, other = config_of(APP), config_of(APP, User="root")
    with pytest.raises(StoreError, match="saved another image than it built") as caught:
        read_archive([form(other, APP)], store, image_id=digest_of(config))
    assert digest_of(config) in caught.value.why


@pytest.mark.parametrize("form", [docker_20, docker_25])
def test_a_layer_that_is_missing_or_changed_is_refused(store: LayoutStore, form: Any) -> None:
    config = config_of(BASE, APP)
    for layers in ((BASE,), (BASE, APP + b"!")):
        with pytest.raises(StoreError):
            read_archive([form(config, *layers)], store, image_id=digest_of(config))


def test_the_id_of_a_layer_or_of_any_other_file_is_not_an_image(store: LayoutStore) -> None:
    config = config_of(BASE, APP)
    for file in (APP, b"1.0", b"{}"):
        with pytest.raises(StoreError, match="saved another image than it built"):
            read_archive([docker_20(config, BASE, APP)], store, image_id=digest_of(file))


@pytest.mark.parametrize("layer", [APP, BASE])
def test_a_blob_with_a_wrong_name_is_refused(store: LayoutStore, layer: bytes) -> None:
    config = config_of(layer)
    files = blobs(config) | {f"blobs/sha256/{hex_of(b'other')}": layer}
    with pytest.raises(StoreError):
        read_archive([pack(files)], store, image_id=digest_of(config))


def test_a_manifest_that_does_not_fit_its_configuration_is_refused(store: LayoutStore) -> None:
    config = config_of(BASE, APP)
    manifests = [
        manifest_of(config, BASE),
        manifest_of(config, APP, BASE),
        manifest_of(config, BASE, APP, APP),
        manifest_of(config, BASE, APP, layers=[describe(LAYER, BASE), describe(LAYER, APP, size=1)]),
        manifest_of(config, BASE, APP, layers=[describe(LAYER, BASE), describe(LAYER, APP, size=-1)]),
        manifest_of(config, BASE, APP, layers=[describe(LAYER, BASE), describe(LAYER, APP, digest="../x")]),
        manifest_of(config, BASE, APP, config=describe(CONFIG, b"absent")),
        manifest_of(config, BASE, APP, config=describe(CONFIG, config, size=2**80)),
        manifest_of(config, BASE, APP, layers=None),
    ]
    for manifest in manifests:
        with pytest.raises(StoreError):
            read_archive([containerd(config, BASE, APP, top=manifest)], store, image_id=digest_of(manifest))


def test_an_ambiguous_document_is_refused(store: LayoutStore) -> None:
    config = config_of(APP)
    both = json.dumps(json.loads(manifest_of(config, APP)) | json.loads(config)).encode()
    with pytest.raises(StoreError, match="ambiguous"):
        read_archive([containerd(config, APP, top=both)], store, image_id=digest_of(both))


@pytest.mark.parametrize(
    "rootfs",
    [
        {},
        {"type": "layers"},
        {"type": "layers", "diff_ids": ["../x"]},
        {"type": "x", "diff_ids": []},
        [],
        None,
    ],
)
def test_a_malformed_configuration_is_refused(store: LayoutStore, rootfs: object) -> None:
    config = json.dumps({"rootfs": rootfs}).encode()
    with pytest.raises(StoreError):
        read_archive([docker_20(config, APP)], store, image_id=digest_of(config))


def test_a_truncated_archive_is_refused_even_when_all_is_there(store: LayoutStore) -> None:
    config = config_of(APP)
    raw = docker_25(config, APP)
    with pytest.raises(StoreError, match="archive is refused"):
        read_archive([raw[: len(raw.rstrip(b"\0")) // 512 * 512]], store, image_id=digest_of(config))


def test_deeply_nested_documents_are_refused(store: LayoutStore) -> None:
    for raw in (
        b'{"rootfs":' + b"[" * 20_000,
        b'{"layers":' + b"[" * 20_000,
        b'{"manifests":' + b"[" * 20_000,
    ):
        with pytest.raises(StoreError):
            read_archive([pack(blobs(raw))], store, image_id=digest_of(raw))


# --- giving


def take_image(store: LayoutStore, *layers: bytes, **run: Any) -> Descriptor:
    config = config_of(*layers, **run)
    return read_archive([docker_20(config, *layers)], store, image_id=digest_of(config))


def unpack(raw: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        return {each.name: file.read() for each in tar if (file := tar.extractfile(each))}


def test_what_is_given_can_be_taken_and_serves_both_kinds_of_engine(
    store: LayoutStore, tmp_path: Path
) -> None:
    image = take_image(store, BASE, APP, BASE)
    raw = b"".join(write_archive(store, image.digest, name="app:1.4.0"))
    files = unpack(raw)
    entry = json.loads(files["manifest.json"])[0]
    assert entry["RepoTags"] == ["app:1.4.0"]
    assert [files[path] for path in entry["Layers"]] == [BASE, APP, BASE]
    assert files[entry["Config"]] == config_of(BASE, APP, BASE)
    listed = json.loads(files["index.json"])["manifests"]
    assert [each["digest"] for each in listed] == [image.digest]
    assert listed[0]["annotations"] == {
        "io.containerd.image.name": "docker.io/library/app:1.4.0",
        "org.opencontainers.image.ref.name": "1.4.0",
    }
    other = LayoutStore(tmp_path / "other")
    for image_id in (image.digest, digest_of(config_of(BASE, APP, BASE))):
        assert read_archive([raw], other, image_id=image_id) == image


def test_without_a_name_none_is_given(store: LayoutStore) -> None:
    files = unpack(b"".join(write_archive(store, take_image(store, APP).digest, name="")))
    assert json.loads(files["manifest.json"])[0]["RepoTags"] is None
    assert "annotations" not in json.loads(files["index.json"])["manifests"][0]


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("app", "docker.io/library/app:latest"),
        ("acme/app:2", "docker.io/acme/app:2"),
        ("registry.example/app", "registry.example/app:latest"),
        ("localhost:5000/acme/app", "localhost:5000/acme/app:latest"),
        ("localhost/app:1", "localhost/app:1"),
    ],
)
def test_containerd_gets_the_full_name(store: LayoutStore, name: str, full: str) -> None:
    files = unpack(b"".join(write_archive(store, take_image(store, APP).digest, name=name)))
    assert json.loads(files["index.json"])["manifests"][0]["annotations"]["io.containerd.image.name"] == full


@pytest.mark.parametrize("damage", [BASE[:-1] + b"!", BASE[:-1], BASE + b"!", b""])
def test_a_damaged_layer_stops_the_archive_before_its_end(store: LayoutStore, damage: bytes) -> None:
    image = take_image(store, BASE, APP)
    (store.root / "blobs" / "sha256" / hex_of(BASE)).write_bytes(damage)
    sent = bytearray()
    with pytest.raises(StoreError, match="damaged"):
        for chunk in write_archive(store, image.digest, name="app:1"):
            sent += chunk
    assert bytes(1024) not in bytes(sent)[-1024:], "no end of archive was sent"
    assert APP not in bytes(sent), "nothing came after the damage"


@pytest.mark.parametrize("size", [len(BASE) - 1, len(BASE) + 1, 0, -1, 1 << 100])
def test_a_manifest_with_a_wrong_layer_size_gives_no_whole_archive(store: LayoutStore, size: int) -> None:
    take_image(store, BASE)
    raw = manifest_of(config_of(BASE), layers=[describe(LAYER, BASE, size=size)])
    foreign = store.write([raw], media_type=MANIFEST)
    sent: list[bytes] = []
    with pytest.raises(StoreError, match=r"another size|not a usable image"):
        sent.extend(write_archive(store, foreign.digest, name="app:1"))
    if sent and size < len(BASE):
        assert BASE not in b"".join(sent), "no more than announced was sent"


# --- what an image is


def test_identity_says_what_the_steps_need(store: LayoutStore) -> None:
    image = take_image(
        store,
        BASE,
        APP,
        User="10001:10001",
        Labels={"org.opencontainers.image.version": "1.4.0"},
        WorkingDir="/app",
        Healthcheck={"Test": ["CMD", "true"], "Interval": 1},
        Entrypoint=["python3"],
        Cmd=["-m", "app"],
        Env=["A=b"],
    )
    assert read_identity(store, image.digest) == ImageIdentity(
        digest=image.digest,
        config=digest_of(store.read(json.loads(store.read(image.digest))["config"]["digest"])),
        diff_ids=(digest_of(BASE), digest_of(APP)),
        user="10001:10001",
        labels={"org.opencontainers.image.version": "1.4.0"},
        working_dir="/app",
        has_healthcheck=True,
        entrypoint=("python3",),
        cmd=("-m", "app"),
        os="linux",
        architecture="amd64",
    )


@pytest.mark.parametrize("check", [None, {}, {"Test": None}, {"Test": []}, {"Test": ["NONE"]}])
def test_an_image_without_a_healthcheck_has_none(store: LayoutStore, check: object) -> None:
    image = take_image(store, APP, Healthcheck=check, Labels=None, User=None, Cmd=None)
    found = read_identity(store, image.digest)
    assert (found.has_healthcheck, found.labels, found.user, found.cmd) == (False, {}, "", ())


def test_identity_refuses_a_record(store: LayoutStore) -> None:
    image = take_image(store, APP)
    record = store.attach(image, artifact_type="application/x", layers=[], annotations={})
    with pytest.raises(StoreError, match="not a usable image") as caught:
        read_identity(store, record.digest)
    assert "record about another image" in caught.value.why


def test_an_image_is_built_on_what_its_layers_begin_with(store: LayoutStore) -> None:
    def identity_of(*layers: bytes) -> ImageIdentity:
        return read_identity(store, take_image(store, *layers).digest)

    lower = identity_of(BASE, APP)
    assert is_built_on(identity_of(BASE, APP, b"tests"), lower)
    assert is_built_on(lower, lower)
    assert not is_built_on(identity_of(BASE), lower)
    assert not is_built_on(identity_of(APP, BASE, b"tests"), lower)
    assert not is_built_on(identity_of(BASE, b"tests", APP), lower)
    assert not is_built_on(lower, ImageIdentity(digest="", config="", diff_ids=()))
