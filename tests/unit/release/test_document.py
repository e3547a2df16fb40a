"""The document of a release: one digest for everything in it, and nothing that is not in it counts."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from autoclave import sign
from autoclave.device.schema import FILE
from autoclave.errors import ReleaseGateClosed, StoreError, UsageError
from autoclave.evidence.statement import VERIFICATION, info
from autoclave.model import release as model
from autoclave.model.place import Destination
from autoclave.release import document, read
from autoclave.release.deployments import foreign_release
from autoclave.runtime.options import Common
from builders.tested_device import FixedContext, TestedDevice


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestedDevice:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "keys"))
    folder = tmp_path / "pump"
    folder.mkdir()
    return TestedDevice(folder)


def open_newest(device: TestedDevice) -> FixedContext:
    ctx = device.context()
    assert document.open_release(ctx)
    return ctx


def edit(device: TestedDevice, old: str, new: str) -> None:
    file = device.folder / FILE
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def test_the_same_release_has_the_same_digest_and_other_settings_another(device: TestedDevice) -> None:
    first = device.sign().judged
    assert device.sign(again=True).judged == first
    edit(device, "port = 8080", "port = 8081")
    second = device.sign().judged
    assert second != first
    edit(device, 'name = "staging"', 'name = "clinic"')
    assert device.sign().judged not in {first, second}


def test_every_record_of_the_verdict_carries_it(device: TestedDevice) -> None:
    release = device.sign().judged
    ctx = open_newest(device)
    for image in ctx.device.image:
        found = read(image, ctx.subject(image), ctx)
        assert found.summary is not None
        assert info(found.summary.statement).files[model.TITLE] == release
        assert found.named == release


def test_what_is_opened_is_the_release_and_not_the_checkout(
    device: TestedDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    device.sign()
    edit(device, "port = 8080", "port = 9999")
    edit(device, 'name = "staging"', 'name = "clinic"')
    ctx = open_newest(device)
    assert ctx.device.find_image("app").service == structs.replace(
        ctx.device.find_image("app").service or pytest.fail(), port=8080
    )
    assert [each.name for each in ctx.device.environment] == ["staging"]
    assert "autoclave.toml here is not that of release" in capsys.readouterr().out


def test_a_release_needs_no_checkout(device: TestedDevice, tmp_path: Path) -> None:
    release = device.sign().judged
    store = str(device.folder / ".autoclave" / "store")
    (tmp_path / "empty").mkdir()
    ctx = FixedContext(Common(folder=str(tmp_path / "empty"), store=store), device.context().screen)
    ctx.__dict__["store"] = device.context().store
    found = document.open_release(ctx, named=release)
    assert found
    assert ctx.device.device.name == "pump"
    assert set(found.document.images) == {"app", "exporter", "tools"}


def test_images_of_two_releases_are_not_mixed(device: TestedDevice) -> None:
    device.sign()
    ctx = device.context()
    mixed = f"app={device.images['app'].digest},exporter={device.images['tools'].digest}"
    with pytest.raises(StoreError, match="is not part of release"):
        document.find(ctx, digest=mixed)


def test_a_verification_of_another_release_does_not_count(device: TestedDevice) -> None:
    first = device.sign().judged
    edit(device, "port = 8080", "port = 8081")
    device.sign()
    ctx = device.context()
    assert document.open_release(ctx, named=first)
    image = ctx.device.find_image("app")
    found = read(image, ctx.subject(image), ctx)
    everything = [each for each in found.records if each.statement.predicate_type == VERIFICATION]
    assert len(everything) == 2
    assert found.summary == everything[0]
    assert found.result == "PASSED"


def test_a_verification_that_failed_later_takes_the_release_back(device: TestedDevice) -> None:
    first = device.sign().judged
    edit(device, 'safety-class = "A"', 'safety-class = "A"\n[policy.unit-test]\nmin-passed = 1000\n')
    with pytest.raises(ReleaseGateClosed):
        device.sign()
    ctx = device.context()
    assert document.open_release(ctx, named=first)
    image = ctx.device.find_image("app")
    assert read(image, ctx.subject(image), ctx).result == "FAILED"


def test_a_checkout_of_another_device_is_not_given_the_newest_release(device: TestedDevice) -> None:
    release = device.sign().judged
    edit(device, 'name = "pump"', 'name = "monitor"')
    with pytest.raises(StoreError, match="is of pump, and this is monitor"):
        document.open_release(device.context())
    assert document.open_release(device.context(), named=release)


def test_a_release_and_the_digest_of_another_ones_image_are_refused(device: TestedDevice) -> None:
    release = device.sign().judged
    with pytest.raises(StoreError, match="is not part of release"):
        document.find(device.context(), named=release, digest=f"app={device.images['tools'].digest}")
    twice = f"app={device.images['app'].digest},app={device.images['app'].digest}"
    with pytest.raises(UsageError, match="two digests for the image 'app'"):
        document.find(device.context(), digest=twice)


def test_only_a_trusted_verdict_makes_a_release_a_signed_one(device: TestedDevice) -> None:
    ctx = device.sign()
    opened = model.parse(ctx.store.read(ctx.judged))
    assert document.is_signed(opened, ctx)
    other = structs.replace(opened.document, tools={"autoclave": "of somebody else"})
    made = document.keep(other, [], ctx.store)
    assert not document.is_signed(model.parse(ctx.store.read(made.digest)), ctx)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"[]", b'{"device": "pump"}', b"\xff", b"[" * 100_000],
    ids=["nothing", "empty", "list", "half", "not-utf-8", "deep"],
)
def test_what_is_no_document_is_refused(raw: bytes) -> None:
    with pytest.raises(StoreError, match="is not a release"):
        model.parse(raw)


def test_a_document_in_another_spelling_is_refused(device: TestedDevice) -> None:
    ctx = device.sign()
    raw = ctx.store.read(ctx.judged)
    assert model.parse(raw).digest == ctx.judged
    for other in (raw + b"\n", msgspec.json.format(raw, indent=1)):
        with pytest.raises(StoreError, match="is not a release"):
            model.parse(other)


def test_a_document_that_contradicts_its_device_file_is_refused(device: TestedDevice) -> None:
    ctx = device.sign()
    opened = model.parse(ctx.store.read(ctx.judged))
    for change in ({"safety_class": "C"}, {"version": "2"}, {"images": {"app": device.images["app"].digest}}):
        other = structs.replace(opened.document, **change)
        kept = ctx.store.write([model.encode(other)], media_type=model.MEDIA_TYPE)
        with pytest.raises(StoreError, match="contradicts itself"):
            document.open_release(device.context(), named=kept.digest)


def test_an_image_of_somebody_else_needs_the_approvals_too(device: TestedDevice, tmp_path: Path) -> None:
    device.sign()
    digest = device.images["app"].digest
    here = Destination(environment="clinic", place="", production=False, why="of the test")
    assert foreign_release(digest, device.context(), here, "docker") == ""
    (tmp_path / "organisation").mkdir()
    policy = tmp_path / "organisation" / "policy.toml"
    policy.write_text("[approvals]\nproduction = { quality = 1 }\n", "utf-8")
    ctx = device.context(Common(folder=str(device.folder), policy=str(policy)))
    why = foreign_release(digest, ctx, structs.replace(here, production=True), "docker")
    assert "quality" in why


def test_an_image_that_no_gate_has_judged_is_no_release(device: TestedDevice) -> None:
    here = Destination(environment="clinic", place="", production=False, why="of the test")
    why = foreign_release(device.images["app"].digest, device.context(), here, "docker")
    assert why == "no release gate has judged it"


def test_a_failed_verdict_is_a_release_that_did_not_pass(device: TestedDevice) -> None:
    device.sign()
    edit(device, 'safety-class = "A"', 'safety-class = "A"\n[policy.unit-test]\nmin-passed = 1000\n')
    opts = sign.Options(folder=str(device.folder))
    ctx = device.context(opts)
    with pytest.raises(ReleaseGateClosed):
        sign.run(opts, ctx)
    again = open_newest(device)
    image = again.device.find_image("app")
    assert read(image, again.subject(image), again).result == "FAILED"
