"""The store on disk: what is put in comes out unchanged, or an error says which file is at fault."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoclave.errors import Busy, StoreError
from autoclave.model.digest import digest_of
from autoclave.runtime.folder import Folder
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import EMPTY_CONFIG, LAYER, MANIFEST, Descriptor
from builders.sample_image import write_image

RECORD = "application/vnd.example.record"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
CREATED = "org.opencontainers.image.created"


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "store")


def blob_path(store: LayoutStore, digest: str) -> Path:
    return store.root / "blobs" / "sha256" / digest.removeprefix("sha256:")


def attach(
    store: LayoutStore, image: Descriptor, content: bytes, created: str = "", **more: str
) -> Descriptor:
    layer = store.write([content], media_type=ENVELOPE)
    annotations = {CREATED: created} if created else {}
    made = store.attach(
        image,
        artifact_type=more.get("artifact_type", RECORD),
        layers=[layer],
        annotations=annotations,
    )
    if "name" in more:
        store.tag(more["name"], made)
    return made


def entries(store: LayoutStore) -> list[dict[str, object]]:
    return list(json.loads((store.root / "index.json").read_bytes())["manifests"])


def files(store: LayoutStore) -> set[str]:
    return {str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file()}


# --- blobs


def test_opening_lists_no_blobs(store: LayoutStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write([b"x"], media_type=LAYER)
    listed, plain = [], Folder.names
    monkeypatch.setattr(Folder, "names", lambda folder: listed.append(folder.path.name) or plain(folder))
    LayoutStore(store.root)
    assert "sha256" not in listed


def test_threads_share_one_opened_folder(store: LayoutStore, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, plain = [], os.dup

    def duplicate(descriptor: int) -> int:
        time.sleep(0.05)
        opened.append(plain(descriptor))
        return opened[-1]

    written = store.write([b"x"], media_type=LAYER)
    other = LayoutStore(store.root)
    monkeypatch.setattr(os, "dup", duplicate)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: other.read(written.digest), range(4))) == [b"x"] * 4
    assert len(opened) == 1


def test_written_content_is_read_back(store: LayoutStore) -> None:
    written = store.write([b"one ", b"", b"two"], media_type=LAYER)
    assert written == Descriptor(media_type=LAYER, digest=digest_of(b"one two"), size=7)
    assert store.has(written.digest)
    assert store.read(written.digest) == b"one two"
    assert b"".join(store.chunks(written.digest)) == b"one two"
    assert blob_path(store, written.digest).read_bytes() == b"one two"


def test_large_content_is_streamed_in_pieces_of_a_mebibyte(store: LayoutStore) -> None:
    content = bytes(range(256)) * 4096 * 3 + b"rest"
    written = store.write([content], media_type=LAYER)
    pieces = list(store.chunks(written.digest))
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) == 1024 * 1024


@given(pieces=st.lists(st.binary(max_size=3000), max_size=6))
def test_content_has_one_name_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    store = LayoutStore(tmp_path_factory.getbasetemp() / "any")
    whole = b"".join(pieces)
    assert store.write(pieces, media_type=LAYER) == store.write([whole], media_type=LAYER)
    assert store.read(digest_of(whole)) == whole


def test_other_content_than_expected_is_refused_and_leaves_nothing(store: LayoutStore) -> None:
    before = files(store)
    with pytest.raises(StoreError, match="not what was announced") as caught:
        store.write([b"other"], media_type=LAYER, expect=digest_of(b"wanted"))
    assert digest_of(b"wanted") in caught.value.why
    assert digest_of(b"other") in caught.value.why
    assert files(store) == before


def test_a_source_that_breaks_leaves_nothing_and_its_error_passes_through(store: LayoutStore) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionResetError("engine went away")

    before = files(store)
    with pytest.raises(ConnectionResetError, match="engine went away"):
        store.write(broken(), media_type=LAYER)
    assert files(store) == before


@pytest.mark.parametrize("damage", [b"lost", b"xayer content", b"layer content and more", b""])
def test_damage_is_named_when_read_and_repaired_by_writing_again(store: LayoutStore, damage: bytes) -> None:
    digest = store.write([b"layer content"], media_type=LAYER).digest
    path = blob_path(store, digest)
    path.write_bytes(damage)
    for read in (store.read, lambda name: b"".join(store.chunks(name))):
        with pytest.raises(StoreError, match="damaged") as caught:
            read(digest)
        assert digest in caught.value.what
        assert str(path) in caught.value.why
        assert "remove that file" in caught.value.next
    store.write([b"layer content"], media_type=LAYER)
    assert store.read(digest) == b"layer content"


def test_present_content_is_not_written_again(store: LayoutStore) -> None:
    digest = store.write([b"base layer"], media_type=LAYER).digest
    before = blob_path(store, digest).stat()
    store.write([b"base", b" layer"], media_type=LAYER, expect=digest)
    after = blob_path(store, digest).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_missing_content_is_an_error_that_names_it(store: LayoutStore) -> None:
    digest = digest_of(b"never written")
    assert not store.has(digest)
    with pytest.raises(StoreError, match=digest):
        store.read(digest)
    with pytest.raises(StoreError, match=digest):
        list(store.chunks(digest))


def test_more_than_the_limit_is_not_read(store: LayoutStore) -> None:
    digest = store.write([b"12345"], media_type=LAYER).digest
    assert store.read(digest, limit=5) == b"12345"
    with pytest.raises(StoreError, match="too large"):
        store.read(digest, limit=4)


def test_a_blob_must_be_a_plain_file(store: LayoutStore, tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_bytes(b"secret")
    path = blob_path(store, digest_of(b"secret"))
    for oddity in ("link", "pipe", "folder"):
        if oddity == "link":
            path.symlink_to(outside)
        elif oddity == "pipe":
            os.mkfifo(path)
        else:
            path.mkdir()
        assert not store.has(digest_of(b"secret"))
        with pytest.raises(StoreError, match="damaged"):
            store.read(digest_of(b"secret"))
        path.rmdir() if oddity == "folder" else path.unlink()


@pytest.mark.parametrize(
    "digest",
    [
        "",
        "sha256:",
        "../../etc/passwd",
        "sha256:../../../etc/passwd",
        "sha512:" + "0" * 64,
        "sha256:" + "A" * 64,
        "sha256:" + "0" * 64 + "\n",
    ],
)
def test_malformed_digests_are_refused_everywhere(store: LayoutStore, digest: str) -> None:
    for use in (
        store.read,
        lambda name: list(store.chunks(name)),
        store.find_image,
        store.referrers,
        store.locate,
    ):
        with pytest.raises(StoreError, match="not an image digest"):
            use(digest)


def test_a_full_disk_is_a_store_error(store: LayoutStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    before = files(store)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StoreError, match="cannot be written") as caught:
        store.write([b"x"], media_type=LAYER)
    assert caught.value.why == "No space left on device"
    assert files(store) == before


# --- names


def test_a_name_refers_to_one_manifest(store: LayoutStore) -> None:
    first, second = write_image(store, b"1", name="app"), write_image(store, b"2", name="app")
    assert store.tags()["app"].digest == second.digest
    assert store.find_image(first.digest).digest == first.digest, "the unnamed image stays listed"
    assert [entry["digest"] for entry in entries(store)] == [first.digest, second.digest]


def test_names_come_and_go_without_leaving_echoes(store: LayoutStore) -> None:
    first, second = write_image(store, b"1", name="latest"), write_image(store, b"2", name="two")
    store.tag("one", first)
    for _ in range(3):
        store.tag("latest", second)
        store.tag("latest", first)
    assert {name: tag.digest for name, tag in store.tags().items()} == {
        "one": first.digest,
        "two": second.digest,
        "latest": first.digest,
    }
    assert len(entries(store)) == 3


def test_annotations_of_the_descriptor_are_kept_with_the_name(store: LayoutStore) -> None:
    image = write_image(store, name="app")
    described = Descriptor(
        media_type=MANIFEST, digest=image.digest, size=image.size, annotations={"version": "1.4.0"}
    )
    store.tag("app", described)
    assert store.tags()["app"].annotations["version"] == "1.4.0"
    assert store.find_image(image.digest).annotations["version"] == "1.4.0"
    assert len(entries(store)) == 1


def test_nothing_is_written_when_nothing_changes(store: LayoutStore) -> None:
    image = write_image(store, name="app")
    attach(store, image, b"record")
    before = (store.root / "index.json").stat()
    store.tag("app", image)
    attach(store, image, b"record")
    after = (store.root / "index.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("name", ["", "-x", "a b", "a\nb", "x" * 256, "ü", "../x"])
def test_unusable_names_are_refused(store: LayoutStore, name: str) -> None:
    image = write_image(store, name="app")
    with pytest.raises(StoreError, match="cannot be a name"):
        store.tag(name, image)


def test_a_name_for_what_is_not_there_is_refused(store: LayoutStore) -> None:
    with pytest.raises(StoreError, match="does not hold"):
        store.tag("app", Descriptor(media_type=MANIFEST, digest=digest_of(b"?"), size=1))


# --- images


def test_an_image_is_found_by_its_digest_and_verified(store: LayoutStore) -> None:
    image = write_image(store, name="app")
    assert store.find_image(image.digest).digest == image.digest
    assert store.locate(image.digest) == f"{store.root}@{image.digest}"
    with pytest.raises(StoreError, match="no image"):
        store.find_image(EMPTY_CONFIG.digest)
    blob_path(store, image.digest).write_bytes(b"{}")
    with pytest.raises(StoreError, match="damaged"):
        store.find_image(image.digest)


def test_a_scanner_is_only_sent_to_an_image_that_is_whole(store: LayoutStore) -> None:
    image = write_image(store, b"layer", name="app-layer")
    path = blob_path(store, digest_of(b"layer"))
    path.write_bytes(b"iayer")
    with pytest.raises(StoreError, match="damaged"):
        store.locate(image.digest)
    path.unlink()
    with pytest.raises(StoreError, match="does not hold"):
        store.locate(image.digest)


def test_a_workspace_with_an_at_sign_is_a_folder_like_others(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "job@2" / "store")
    image = write_image(store, name="app")
    assert store.locate(image.digest).rpartition("@") == (str(store.root), "@", image.digest)


def test_a_wrong_size_is_refused(store: LayoutStore) -> None:
    image = write_image(store, name="app")
    path = store.root / "index.json"
    path.write_bytes(path.read_bytes().replace(f'"size":{image.size}'.encode(), b'"size":7'))
    with pytest.raises(StoreError, match="another size"):
        store.find_image(image.digest)


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b'{"layers":' + b"[" * 100_000, b'{"x":' + b"[" * 100_000, b"\xff"]
)
def test_what_is_listed_but_no_manifest_is_no_image_and_refers_to_nothing(
    store: LayoutStore, raw: bytes
) -> None:
    image = write_image(store, name="app")
    record = attach(store, image, b"record")
    listed = store.write([raw], media_type=MANIFEST)
    store.tag("app", listed)
    with pytest.raises(StoreError, match="is not an OCI manifest"):
        store.find_image(listed.digest)
    assert [each.digest for each in store.referrers(image.digest)] == [record.digest]


def test_a_record_is_not_an_image(store: LayoutStore) -> None:
    record = attach(store, write_image(store, name="app"), b"record")
    with pytest.raises(StoreError, match="is a record, not an image"):
        store.find_image(record.digest)


# --- records


def test_a_record_is_an_oci_referrer(store: LayoutStore) -> None:
    image = write_image(store, name="app")
    store.tag(
        "app", Descriptor(media_type=MANIFEST, digest=image.digest, size=image.size, annotations={"a": "b"})
    )
    record = attach(store, store.tags()["app"], b"envelope", "2026-11-24T08:00:00Z", name="app.scan")
    manifest = json.loads(store.read(record.digest))
    assert manifest == {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": RECORD,
        "config": {"mediaType": EMPTY_CONFIG.media_type, "digest": EMPTY_CONFIG.digest, "size": 2},
        "layers": [{"mediaType": ENVELOPE, "digest": digest_of(b"envelope"), "size": 8}],
        "subject": {"mediaType": MANIFEST, "digest": image.digest, "size": image.size},
        "annotations": {CREATED: "2026-11-24T08:00:00Z"},
    }
    assert store.read(EMPTY_CONFIG.digest) == b"{}"
    assert entries(store)[-1]["artifactType"] == RECORD
    assert store.tags()["app.scan"].digest == record.digest


def test_records_come_oldest_first_undated_ones_before(store: LayoutStore) -> None:
    image, other = write_image(store, b"1", name="app-1"), write_image(store, b"2", name="app-2")
    attach(store, other, b"other")
    newest = attach(store, image, b"c", "2026-11-24T09:00:00+01:00")
    oldest = attach(store, image, b"a", "2026-11-24T07:59:59.5Z")
    undated = attach(store, image, b"n")
    foreign = attach(store, image, b"f", "yesterday")
    assert [each.digest for each in store.referrers(image.digest)] == [
        undated.digest,
        foreign.digest,
        oldest.digest,
        newest.digest,
    ]


def test_records_are_filtered_by_their_own_type(store: LayoutStore) -> None:
    image = write_image(store, name="app")
    scan = attach(store, image, b"a", artifact_type="application/scan")
    attach(store, image, b"b", artifact_type="application/test")
    assert store.referrers(image.digest, artifact_type="application/scan") == [scan]
    assert store.referrers(digest_of(b"unknown image")) == []


def test_the_index_cannot_lend_a_record_another_image_type_or_date(store: LayoutStore) -> None:
    image, other = write_image(store, b"1", name="app-1"), write_image(store, b"2", name="app-2")
    record = attach(store, image, b"a", "2026-01-01T00:00:00Z")
    path = store.root / "index.json"
    index = json.loads(path.read_bytes())
    index["manifests"][-1]["artifactType"] = "application/forged"
    index["manifests"][-1]["annotations"] = {CREATED: "2030-01-01T00:00:00Z", "subject": other.digest}
    path.write_text(json.dumps(index))
    assert store.referrers(image.digest) == [record]
    assert store.referrers(other.digest) == []
    assert store.referrers(image.digest, artifact_type="application/forged") == []


@pytest.mark.parametrize("harm", ["damage", "delete"])
def test_a_missing_record_that_is_listed_is_an_error(store: LayoutStore, harm: str) -> None:
    image = write_image(store, name="app")
    record = attach(store, image, b"a")
    path = blob_path(store, record.digest)
    path.write_bytes(b"{}") if harm == "damage" else path.unlink()
    with pytest.raises(StoreError, match=record.digest):
        store.referrers(image.digest)


def test_a_record_about_nothing_or_of_nothing_is_refused(store: LayoutStore) -> None:
    image = write_image(store, name="app")
    ghost = Descriptor(media_type=MANIFEST, digest=digest_of(b"?"), size=1)
    with pytest.raises(StoreError, match="does not hold"):
        store.attach(ghost, artifact_type=RECORD, layers=[], annotations={})
    with pytest.raises(StoreError, match="does not hold"):
        store.attach(image, artifact_type=RECORD, layers=[ghost], annotations={})
    assert store.referrers(image.digest) == []


# --- the folder


def test_a_new_store_is_a_layout(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "store")
    assert json.loads((store.root / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert json.loads((store.root / "index.json").read_bytes())["manifests"] == []


def test_without_create_a_missing_store_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no usable store") as caught:
        LayoutStore(tmp_path / "none", create=False)
    assert "autoclave build" in caught.value.next
    assert not (tmp_path / "none").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "main.py").touch()
    with pytest.raises(StoreError, match="not an OCI layout"):
        LayoutStore(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["main.py"]


@pytest.mark.parametrize("marker", [b"", b"[]", b'{"imageLayoutVersion":"2.0.0"}', b"{" * 3000, b"x" * 5000])
def test_a_marker_that_says_something_else_is_refused(store: LayoutStore, marker: bytes) -> None:
    (store.root / "oci-layout").write_bytes(marker)
    with pytest.raises(StoreError):
        LayoutStore(store.root)


def test_creation_that_was_cut_short_is_completed(store: LayoutStore) -> None:
    image = write_image(store, name="app")
    (store.root / "oci-layout").unlink()
    assert LayoutStore(store.root).tags()["app"].digest == image.digest


def test_a_layout_without_index_is_damaged_not_new(store: LayoutStore) -> None:
    (store.root / "index.json").unlink()
    with pytest.raises(StoreError, match="no usable store"):
        LayoutStore(store.root).tags()


@pytest.mark.parametrize("part", ["blobs", "blobs/sha256", ".tmp"])
def test_folders_that_lead_elsewhere_are_refused(store: LayoutStore, tmp_path: Path, part: str) -> None:
    (store.root / part).rename(tmp_path / "elsewhere")
    (store.root / part).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="not trusted"):
        LayoutStore(store.root)


@pytest.mark.parametrize("name", ["index.json", "oci-layout", ".lock"])
def test_files_that_lead_elsewhere_are_refused(store: LayoutStore, tmp_path: Path, name: str) -> None:
    (store.root / name).rename(tmp_path / "elsewhere")
    (store.root / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError):
        write_image(LayoutStore(store.root), name="app")


def test_opening_removes_what_a_crash_left_but_not_a_running_writer(store: LayoutStore) -> None:
    (store.root / ".tmp").mkdir(exist_ok=True)
    dead, living = store.root / ".tmp" / "1-dead", store.root / ".tmp" / "2-living"
    dead.touch()
    with living.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        LayoutStore(store.root)
        assert living.exists()
        assert not dead.exists()
    LayoutStore(store.root)
    assert not living.exists()


# --- several writers


def test_a_lock_that_is_held_too_long_names_the_holder(store: LayoutStore) -> None:
    image = write_image(store, name="app")
    with (store.root / ".lock").open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(b"4711")
        file.flush()
        with pytest.raises(Busy, match="process 4711") as caught:
            LayoutStore(store.root, lock_timeout=0.05).tag("late", image)
    assert "0.05 s" in caught.value.why
    assert "late" not in store.tags()
    LayoutStore(store.root, lock_timeout=0.05).tag("late", image)


def test_readers_do_not_wait_for_writers(store: LayoutStore) -> None:
    image = write_image(store, name="app")
    with (store.root / ".lock").open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        reader = LayoutStore(store.root, create=False, lock_timeout=0)
        assert reader.find_image(image.digest).digest == image.digest
        assert reader.referrers(image.digest) == []


def test_threads_lose_nothing(store: LayoutStore) -> None:
    image = write_image(store, name="app")

    def work(number: int) -> None:
        for turn in range(5):
            attach(LayoutStore(store.root), image, f"{number} {turn}".encode())
            store.tag(f"name-{number}-{turn}", image)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.referrers(image.digest)) == 30
    assert len(store.tags()) == 31


def test_a_link_in_place_of_the_store_is_refused_and_nothing_is_made_behind_it(tmp_path: Path) -> None:
    (tmp_path / "device" / ".autoclave").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "device" / ".autoclave" / "store").symlink_to(tmp_path / "elsewhere")
    for way in (".autoclave/store", ".autoclave/store/inner"):
        with pytest.raises(StoreError, match="not trusted"):
            LayoutStore(Folder(tmp_path / "device").at(way))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_lock_that_is_another_name_of_a_file_does_not_change_that_file(
    store: LayoutStore, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("kept")
    (store.root / ".lock").unlink()
    (store.root / ".lock").hardlink_to(tmp_path / "file")
    with pytest.raises(StoreError, match="cannot be locked") as caught:
        write_image(store, name="app")
    assert "has a second name" in caught.value.why
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_that_becomes_a_link_while_the_store_is_open_is_not_followed(
    store: LayoutStore, tmp_path: Path
) -> None:
    image = write_image(store, name="app")
    (tmp_path / "elsewhere").mkdir()
    (store.root / "blobs" / "sha256").rename(store.root / "blobs" / "moved")
    (store.root / "blobs" / "sha256").symlink_to(tmp_path / "elsewhere")
    store.write([b"new"], media_type=LAYER)
    assert store.read(image.digest)
    assert list((tmp_path / "elsewhere").iterdir()) == []
