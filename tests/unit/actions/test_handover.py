"""What a job leaves for the next one, and what the next one makes of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoclave.actions import handover
from autoclave.console.json import JsonScreen
from autoclave.context import Context
from autoclave.errors import AutoclaveError, SourceError, StoreError, UsageError
from autoclave.evidence import cosign, transfer
from autoclave.runtime.options import StepOptions
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import MANIFEST, Descriptor
from builders.sample_image import write_image

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def attach(store: LayoutStore, image: Descriptor, content: bytes) -> Descriptor:
    layer = store.write([content], media_type="application/vnd.dsse.envelope.v1+json")
    return store.attach(image, artifact_type="record", layers=[layer], annotations={})


def sign(store: LayoutStore, image: Descriptor, content: bytes) -> None:
    payload = store.write([content], media_type=cosign.SIMPLE_SIGNING)
    cosign.add(store, image.digest, "sig", [payload])


def test_an_image_and_its_records_arrive_byte_for_byte(tmp_path: Path) -> None:
    source, target = LayoutStore(tmp_path / "a"), LayoutStore(tmp_path / "b")
    image = write_image(source, b"app", name="app")
    record = attach(source, image, b"envelope")
    sign(source, image, b"signature")
    transfer.copy_image(source, target, image.digest, name="app")
    assert transfer.copy_attached(source, target, image.digest) == 1
    assert target.find("app") == source.find("app")
    assert target.read(image.digest) == source.read(image.digest)
    assert [each.digest for each in target.referrers(image.digest)] == [record.digest]
    assert cosign.list_layers(target, image.digest, "sig") == cosign.list_layers(source, image.digest, "sig")


def test_records_of_parallel_jobs_all_arrive(tmp_path: Path) -> None:
    first, second, target = (LayoutStore(tmp_path / name) for name in "abc")
    image = write_image(first, b"app", name="app")
    transfer.copy_image(first, target, image.digest, name="app")
    transfer.copy_image(first, second, image.digest, name="app")
    records = {attach(first, image, b"tested").digest, attach(second, image, b"scanned").digest}
    sign(first, image, b"one")
    sign(second, image, b"two")
    for source in (first, second, first):
        transfer.copy_attached(source, target, image.digest)
    assert {each.digest for each in target.referrers(image.digest)} == records
    assert len(cosign.list_layers(target, image.digest, "sig")) == 2


def test_records_travel_without_their_image(tmp_path: Path) -> None:
    source, between = LayoutStore(tmp_path / "a"), LayoutStore(tmp_path / "b")
    image = write_image(source, b"app", name="app")
    attach(source, image, b"envelope")
    transfer.copy_attached(source, between, image.digest)
    assert len(between.referrers(image.digest)) == 1
    assert not between.has(image.digest)


def test_a_damaged_record_does_not_arrive(tmp_path: Path) -> None:
    source, target = LayoutStore(tmp_path / "a"), LayoutStore(tmp_path / "b")
    image = write_image(source, b"app", name="app")
    attach(source, image, b"envelope")
    for path in (tmp_path / "a" / "blobs" / "sha256").iterdir():
        if path.read_bytes() == b"envelope":
            path.write_bytes(b"Envelope")
    with pytest.raises(StoreError, match="damaged"):
        transfer.copy_attached(source, target, image.digest)
    assert target.referrers(image.digest) == []


def test_what_refers_to_nothing_is_not_adopted(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    image = write_image(store, b"app", name="app")
    with pytest.raises(StoreError, match="not attached to anything"):
        store.adopt(store.read(image.digest))


DEVICE = """\
[device]
name = "pump"
version = "1"
safety-class = "A"
[[image]]
name = "app"
[[image]]
name = "other"
"""


def test_what_a_run_built_stays_its_own_when_another_run_takes_the_name(tmp_path: Path) -> None:
    (tmp_path / "autoclave.toml").write_text(DEVICE)
    opts = StepOptions(folder=str(tmp_path), hand_on="left")
    ctx = Context(opts, JsonScreen())
    assert isinstance(ctx.store, LayoutStore)
    ours = write_image(ctx.store, b"app", name="app")
    ctx.built["app"] = ours
    theirs = ctx.store.write([ctx.store.read(ours.digest) + b"\n"], media_type=MANIFEST)
    ctx.store.tag("app", theirs)
    assert ctx.subject(ctx.device.find_image("app")).digest == ours.digest
    write_image(ctx.store, b"other", name="other")  # from an earlier build: not part of this handover
    handover.write("build", opts, ctx)
    assert (tmp_path / "left" / "digests.env").read_text() == f"AUTOCLAVE_DIGEST=app={ours.digest}\n"
    assert set(LayoutStore(tmp_path / "left" / "store").tags()) == {"app"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"../pump={A}", "names the image '../pump', which cannot be the name of one"),
        (f"app={A},app={B}", "two digests for the image 'app'"),
        ("app=", "no digest for the image 'app'"),
        (f"app={A},", "not NAME=DIGEST"),
        ("app=sha256:12", "is not an image digest"),
    ],
)
def test_what_a_job_left_is_refused_when_its_digests_are_malformed(
    tmp_path: Path, line: str, message: str
) -> None:
    (tmp_path / "autoclave.toml").write_text(DEVICE)
    left = tmp_path / "left"
    LayoutStore(left / "store")
    (left / "digests.env").write_text(f"AUTOCLAVE_DIGEST={line}\n")
    with pytest.raises(StoreError, match=message):
        handover.read(["left"], Context(StepOptions(folder=str(tmp_path)), JsonScreen()))


def contents(path: Path) -> list[str]:
    return sorted(str(each.relative_to(path)) for each in path.rglob("*"))


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    made = tmp_path / "victim"
    (made / "build" / "precious").mkdir(parents=True)
    (made / "build" / "precious" / "file").write_text("kept")
    return made


@pytest.mark.parametrize("link", [".autoclave/handover", ".autoclave/handover/build", "out"])
def test_nothing_is_removed_or_written_through_a_link(tmp_path: Path, victim: Path, link: str) -> None:
    device = tmp_path / "device"
    (device / ".autoclave" / "handover").mkdir(parents=True)
    (device / "autoclave.toml").write_text(DEVICE)
    if (device / link).is_dir():
        (device / link).rmdir()
    (device / link).symlink_to(victim / "build" if link.endswith("build") else victim)
    before = contents(victim)
    name = "out/build" if link == "out" else ".autoclave/handover/build"
    opts = StepOptions(folder=str(device), hand_on=name)
    with pytest.raises(SourceError, match="is a link"):
        handover.write("build", opts, Context(opts, JsonScreen()))
    with pytest.raises(SourceError, match="is a link"):
        handover.read([name], Context(opts, JsonScreen()))
    assert contents(victim) == before


@pytest.mark.parametrize("name", [".", "tests", "../elsewhere"])
def test_a_folder_with_other_files_is_not_removed(tmp_path: Path, name: str) -> None:
    device = tmp_path / "device"
    for folder in (device / "tests", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    (device / "autoclave.toml").write_text(DEVICE)
    before = contents(tmp_path)
    opts = StepOptions(folder=str(device), hand_on=name)
    with pytest.raises(UsageError, match="is not a folder of a handover"):
        handover.write("build", opts, Context(opts, JsonScreen()))
    assert contents(tmp_path) == before


@pytest.mark.parametrize("odd", ["digests.env", "keys/development-steps.pub", "store/index.json"])
def test_what_a_job_left_must_be_plain_files(tmp_path: Path, odd: str) -> None:
    (tmp_path / "autoclave.toml").write_text(DEVICE)
    left = tmp_path / "left"
    LayoutStore(left / "store")
    (left / "digests.env").write_text(f"AUTOCLAVE_DIGEST=app={A}\n")
    (left / odd).parent.mkdir(exist_ok=True)
    (left / odd).unlink(missing_ok=True)
    os.mkfifo(left / odd)
    with pytest.raises(AutoclaveError) as caught:
        handover.read(["left"], Context(StepOptions(folder=str(tmp_path)), JsonScreen()))
    assert "neither a file nor a folder" in caught.value.reason


def test_the_release_that_sign_left_is_the_one_that_is_deployed(tmp_path: Path) -> None:
    (tmp_path / "autoclave.toml").write_text(DEVICE)
    left = tmp_path / "left"
    LayoutStore(left / "store")
    (left / "keys").mkdir()
    (left / "digests.env").write_text(f"AUTOCLAVE_RELEASE={A}\n")
    ctx = Context(StepOptions(folder=str(tmp_path)), JsonScreen())
    handover.read(["left"], ctx)
    assert ctx.judged == A
    opts = StepOptions(folder=str(tmp_path), hand_on="next")
    ctx.built["app"] = write_image(ctx.store, b"app", name="app")
    handover.write("build", opts, ctx)
    assert (tmp_path / "next" / "digests.env").read_text().splitlines()[-1] == f"AUTOCLAVE_RELEASE={A}"


@pytest.mark.parametrize("release", ["", "newest", A.upper(), f"{A} "])
def test_a_release_that_cannot_be_one_is_refused_and_never_the_newest(tmp_path: Path, release: str) -> None:
    (tmp_path / "left" / "keys").mkdir(parents=True)
    (tmp_path / "left" / "digests.env").write_text(f"AUTOCLAVE_RELEASE={release}\nAUTOCLAVE_DIGEST=\n")
    ctx = Context(StepOptions(folder=str(tmp_path)), JsonScreen())
    with pytest.raises(StoreError, match="is not an image digest"):
        handover.read(["left"], ctx)
    assert not ctx.judged
