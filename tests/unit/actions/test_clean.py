"""What nobody needs is removed, and nothing that a kept record refers to, whatever happens meanwhile."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner

from autoclave.actions import clean
from autoclave.cli.main import main
from autoclave.console.plain import PlainScreen
from autoclave.context import Context
from autoclave.engines.base import NamedImage
from autoclave.engines.removal import find_unneeded
from autoclave.errors import Busy, EngineError, StoreError
from autoclave.evidence import cosign, predicates, records, statement
from autoclave.evidence.statement import DEPLOYMENT, PROVENANCE, SEAL, VERIFICATION
from autoclave.model.digest import digest_of
from autoclave.runtime.options import Common
from autoclave.store import retention
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import INDEX, Descriptor
from autoclave.store.retention import Listed
from builders.sample_facts import BUILD, STEP_INFO
from builders.sample_image import write_image

NOW = datetime.now(UTC)
BEFORE = NOW - timedelta(days=30)
STEPS = CryptoSigner.generate_ecdsa()


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "store", lock_timeout=0.1)


def build(store: LayoutStore, content: bytes, name: str = "app") -> Descriptor:
    """Make what a build leaves: the newest image of a name; the one before loses it."""
    return write_image(store, content, b"shared", name=name)


def attach(store: LayoutStore, image: Descriptor, kind: str = PROVENANCE, *titles: str) -> Descriptor:
    """Attach a record of a kind, with files of these titles."""
    files = [(title, store.write([title.encode()], media_type="text/plain")) for title in titles]
    body = records.name_files(predicates.provenance(STEP_INFO, BUILD, {}), files)
    raw = statement.make(image.digest, PROVENANCE, body)
    made = records.attach(store, image, raw, kind, STEPS, attachments=files)
    return Descriptor(media_type="", digest=made.digest, size=0)


def age(store: LayoutStore, days: int = 60) -> None:
    """Let everything in the store be this old."""
    then = time.time() - days * 86400
    for path in (store.root / "blobs" / "sha256").iterdir():
        os.utime(path, (then, then))


def run(store: LayoutStore, **pinned: str) -> clean.Cleaning:
    with store.alone():
        made = clean.make_plan(store, store.inventory(), BEFORE, pinned)
        store.clean(made.plan.kept.keys(), made.needed, BEFORE)
    return made


def assert_whole(store: LayoutStore, image: Descriptor) -> None:
    """Everything of an image, of what is attached to it, and of the files with it can be read."""
    store.locate(image.digest)
    for each in store.referrers(image.digest):
        for layer in records.parse_manifest(store.read(each.digest), each.digest).layers:
            store.read(layer.digest)


def test_old_builds_go_and_the_newest_stays_with_its_records(store: LayoutStore) -> None:
    old, new = build(store, b"1"), build(store, b"2")
    attach(store, old)
    attach(store, new)
    age(store)
    made = run(store)
    assert [each.digest for each in made.images] == [old.digest]
    with pytest.raises(StoreError, match="has no image"):
        store.find_image(old.digest)
    assert not store.has(old.digest)
    assert store.has(digest_of(b"shared"))
    assert not store.has(digest_of(b"1"))
    assert_whole(store, new)
    assert run(store).images == []


@pytest.mark.parametrize("kind", [SEAL, DEPLOYMENT])
def test_what_is_sealed_or_deployed_stays_whole(store: LayoutStore, kind: str) -> None:
    old = build(store, b"1")
    attach(store, old)
    attach(store, old, kind, "policy.json")
    build(store, b"2")
    age(store, 4000)
    assert run(store).images == []
    assert_whole(store, old)
    assert len(store.referrers(old.digest)) == 2


def test_what_is_signed_or_named_by_a_decision_stays(store: LayoutStore) -> None:
    signed, waived, _ = (build(store, each) for each in (b"1", b"2", b"3"))
    cosign.sign_image(store, signed.digest, "pump/app", STEPS)
    age(store)
    made = run(store, **{waived.digest: "is named by W-1.waiver.json"})
    assert made.plan.kept[signed.digest] == "is signed"
    assert made.plan.kept[waived.digest] == "is named by W-1.waiver.json"
    assert_whole(store, signed)
    assert_whole(store, waived)


def test_what_a_kept_record_names_anywhere_stays(store: LayoutStore) -> None:
    """The images of a release belong together: the record of one names the digest of the other."""
    other, old = build(store, b"other", "gateway"), build(store, b"1")
    attach(store, other)
    unlisted = store.write([b"a file that only the release names"], media_type="text/plain")
    attach(store, old, VERIFICATION, f"{other.digest} {unlisted.digest}")
    attach(store, old, SEAL)
    build(store, b"2")
    build(store, b"3", "gateway")
    age(store)
    made = run(store)
    assert made.images == []
    assert made.plan.kept[other.digest].startswith("belongs to")
    assert_whole(store, other)
    assert store.read(unlisted.digest)


def test_what_is_new_stays_and_an_image_is_as_new_as_its_newest_record(store: LayoutStore) -> None:
    scanned, left = build(store, b"1"), build(store, b"2")
    build(store, b"3")
    age(store)
    attach(store, scanned)
    assert [each.digest for each in run(store).images] == [left.digest]
    assert_whole(store, scanned)


def test_files_that_nothing_refers_to_go_once_they_are_old(store: LayoutStore) -> None:
    build(store, b"1")
    crashed = store.write([b"a layer of a build that crashed"], media_type="x")
    run(store)
    assert store.has(crashed.digest)
    age(store)
    run(store)
    assert not store.has(crashed.digest)


def test_what_is_not_understood_stays(store: LayoutStore) -> None:
    junk = store.write(
        [b'{"schemaVersion":2,"layers":7}'], media_type="application/vnd.oci.image.manifest.v1+json"
    )
    build(store, b"1")
    index = store.root / "index.json"
    index.write_bytes(
        index.read_bytes().replace(
            b'"manifests":[',
            b'"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%d},'
            % (junk.digest.encode(), junk.size),
        )
    )
    age(store)
    assert run(store).plan.kept[junk.digest] == "is not known to be an image or a record"
    assert store.has(junk.digest)


def test_indexes_in_indexes_are_followed_however_deep(store: LayoutStore) -> None:
    inner = write_image(store, b"inner")
    for _ in range(1500):
        raw = msgspec.json.encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": [inner]})
        inner = store.write([raw], media_type=INDEX)
    store.tag("app", inner)
    age(store)
    assert run(store).images == []
    assert store.has(digest_of(b"inner"))


@pytest.mark.parametrize("damage", [b"", b"x" * 500])
def test_nothing_is_removed_from_a_store_that_is_damaged(store: LayoutStore, damage: bytes) -> None:
    old = build(store, b"1")
    sealed = build(store, b"2")
    record = attach(store, sealed, SEAL)
    build(store, b"3")
    age(store)
    envelope = records.parse_manifest(store.read(record.digest), record.digest).layers[0].digest
    (store.root / "blobs" / "sha256" / envelope.removeprefix("sha256:")).write_bytes(damage)
    with pytest.raises(StoreError):
        run(store)
    store.find_image(old.digest)


def test_nobody_else_may_use_the_store_meanwhile(store: LayoutStore) -> None:
    other = LayoutStore(store.root)
    with pytest.raises(Busy, match="in use by another command"), store.alone():
        pass
    del other
    with store.alone(), pytest.raises(Busy, match="is being cleaned"):
        LayoutStore(store.root, lock_timeout=0.1)
    LayoutStore(store.root, lock_timeout=0.1)


def test_a_copy_of_a_registry_is_emptied_of_what_is_old(store: LayoutStore) -> None:
    image = write_image(store, b"1")
    store.tag(f"image-{image.digest.removeprefix('sha256:')}", image)
    store.write([b"a record"], media_type="x")
    assert clean.clean_cache(store, BEFORE)[0] == 0
    age(store)
    files, size = clean.clean_cache(store, BEFORE)
    assert (files, size > 0) == (4, True)
    assert store.size() == (0, 0)


def test_the_sizes_on_this_machine_are_in_words(device: Path) -> None:
    build(LayoutStore(device / ".autoclave" / "store"), b"1" * 2_000_000)
    LayoutStore(device / ".autoclave" / "registry")
    context = Context(Common(folder=str(device)), PlainScreen())
    assert clean.describe_size(context) == "store 2 MB, copy of the registry 0 MB"
    context.close()
    remote = Context(Common(folder=str(device), store="oci://127.0.0.1:1/x"), PlainScreen())
    assert clean.describe_size(remote) == "copy of the registry 0 MB"
    remote.close()


def image(name: str, named: datetime | None = BEFORE - timedelta(days=1), **more: Any) -> NamedImage:
    return NamedImage(name=name, id=f"sha256:{name}", size=1, named=named, **more)


def test_an_engine_keeps_what_runs_what_is_new_and_what_has_no_age() -> None:
    found = [image("old"), image("runs"), image("new", NOW), image("odd", None)]
    assert [each.name for each in find_unneeded(found, {"sha256:runs"}, BEFORE)] == ["old"]


LISTED = st.builds(
    Listed,
    digest=st.sampled_from("abcdefgh"),
    size=st.just(1),
    written=st.sampled_from([None, BEFORE, BEFORE - timedelta(days=1)]),
    names=st.sampled_from([(), (), ("app",)]),
    subject=st.sampled_from(["", "", *"abcdefgh"]),
    kind=st.sampled_from(["", "", SEAL]),
    refers=st.lists(st.sampled_from("abcdefgh"), max_size=3).map(tuple),
    is_known=st.sampled_from([True, True, True, False]),
)


@given(
    st.lists(LISTED, unique_by=lambda each: each.digest),
    st.dictionaries(st.sampled_from("abcdefgh"), st.just("x")),
)
def test_nothing_that_is_kept_needs_what_is_removed(listed: list[Listed], pinned: dict[str, str]) -> None:
    made = retention.plan(listed, before=BEFORE, pinned=pinned, deciding=clean.DECIDING)
    gone = {each.digest for each in made.removable}
    assert gone | made.kept.keys() == {each.digest for each in listed}
    assert not gone & made.kept.keys()
    for each in listed:
        needs = {*each.refers, each.subject}
        if each.digest in made.kept:
            assert not needs & gone
        elif each.subject:
            assert each.subject not in made.kept
        if each.digest in gone:
            assert not each.names
            assert each.written
            assert each.written < BEFORE
            assert each.is_known
            assert each.kind != SEAL
            assert each.digest not in pinned


DEVICE = '[device]\nname = "pump"\nversion = "1"\nsafety-class = "A"\n[[image]]\nname = "app"\n'


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "autoclave.toml").write_text(DEVICE)

    def refuse(_: Context) -> None:
        raise EngineError("the engine does not answer")

    monkeypatch.setattr(Context, "engine", property(refuse))
    return tmp_path


def test_the_command_only_says_what_it_would_do_until_it_is_told(
    device: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = LayoutStore(device / ".autoclave" / "store")
    old, new = build(store, b"1"), build(store, b"2")
    age(store)
    root = store.root
    del store
    assert main(["clean", "-C", str(device)]) == 0
    said = capsys.readouterr()
    assert "1 images may be removed" in said.out
    assert "nothing was changed" in said.err
    assert "the engine was left as it is" in said.err
    LayoutStore(root).find_image(old.digest)
    assert main(["clean", "-C", str(device), "--remove", "--older-than", "90"]) == 0
    LayoutStore(root).find_image(old.digest)
    assert main(["clean", "-C", str(device), "--remove"]) == 0
    assert "files removed" in capsys.readouterr().out
    with pytest.raises(StoreError):
        LayoutStore(root).find_image(old.digest)
    LayoutStore(root).find_image(new.digest)


def test_a_registry_is_not_cleaned_of_what_another_machine_may_be_writing(
    device: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["clean", "-C", str(device), "--store", "oci://127.0.0.1:1/x", "--older-than", "6"]
    assert main(words) == 2
    assert "no lock reaches the other machines" in capsys.readouterr().err
