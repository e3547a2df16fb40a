"""A step reads an image's records once: what is judged, signed and sealed is what was verified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from autoclave import deploy, release, sign, targets
from autoclave.device.schema import Environment
from autoclave.errors import ReleaseGateClosed
from autoclave.evidence.seal import check, signatures_of
from autoclave.evidence.statement import PROVENANCE
from autoclave.release.seal import apply
from autoclave.release.verification import explain_unsigned, read_attached
from builders.memory_target import MemoryTarget
from builders.reading_store import ReadingStore
from builders.tested_device import NAMES, TestedDevice


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestedDevice:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "keys"))
    folder = tmp_path / "pump"
    folder.mkdir()
    return TestedDevice(folder)


def run_deploy(
    device: TestedDevice, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object] = lambda: None
) -> ReadingStore:
    environment = Environment(name="staging")
    monkeypatch.setattr(
        targets, "create", lambda *_: MemoryTarget(environment=environment, meanwhile=meanwhile)
    )
    opts = deploy.Options(folder=str(device.folder), environment="staging")
    ctx = device.context(opts)
    assert deploy.run(opts, ctx)
    return ctx.store


def assert_read_once(store: ReadingStore, device: TestedDevice, before: Sequence[set[str]]) -> None:
    """Check that records were listed once and read once, and that none that the step attached was read."""
    digests = [each.digest for each in device.images.values()]
    assert store.listed == Counter(digests)
    for image, old in zip(device.images.values(), before, strict=True):
        new = device.blobs(image) - old
        assert {digest: store.reads[digest] for digest in old} == dict.fromkeys(old, 1)
        assert {digest: store.reads[digest] for digest in new} == dict.fromkeys(new, 0)


def attached_blobs(device: TestedDevice) -> list[set[str]]:
    return [device.blobs(each) for each in device.images.values()]


def test_sign_reads_every_record_once(device: TestedDevice) -> None:
    before = attached_blobs(device)
    assert all(len(each) == 8 for each in before)
    assert_read_once(device.sign().store, device, before)
    assert [len(each) for each in attached_blobs(device)] == [12, 12, 12]  # verdict and seal


def test_sign_again_reads_every_record_once(device: TestedDevice) -> None:
    device.sign()
    before = attached_blobs(device)
    store = device.sign().store  # nothing to do
    assert attached_blobs(device) == before
    assert set(store.listed.values()) == {1}
    assert {store.reads[digest] for each in before for digest in each} == {1}
    assert_read_once(device.sign(again=True).store, device, before)


def test_deploy_reads_every_record_once(device: TestedDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    device.sign()
    before = attached_blobs(device)
    assert_read_once(run_deploy(device, monkeypatch), device, before)
    assert [len(each) for each in attached_blobs(device)] == [16, 16, 12]  # deployment and seal


def test_a_closed_release_gate_reads_every_record_once(device: TestedDevice) -> None:
    ctx = device.context()
    unsigned = {"autoclave": 1}
    ctx.attach(device.images["app"], PROVENANCE, unsigned)
    before = attached_blobs(device)
    opts = sign.Options(folder=str(device.folder))
    ctx = device.context(opts)
    with pytest.raises(ReleaseGateClosed):
        sign.run(opts, ctx)
    assert_read_once(ctx.store, device, before)
    assert all(explain_unsigned(read(device, name), ctx) for name in NAMES)


def read(device: TestedDevice, name: str = "app") -> release.Release:
    ctx = device.context()
    return release.read(ctx.device.find_image(name), device.images[name], ctx)


def test_what_a_step_adds_is_what_would_be_read_back(device: TestedDevice) -> None:
    device.sign()
    ctx, before = device.context(), read(device)
    raw = apply(before.attached, before.image, ctx)
    added = release.add(before, raw, ctx)
    assert added.attached == read(device).attached
    assert added.records == read(device).records
    assert added.records != before.records


def test_a_signature_that_a_step_adds_is_what_would_be_read_back(device: TestedDevice) -> None:
    device.sign()
    found = read(device).attached
    (entry,) = found.signatures.layers
    assert found.add_signature(entry) == found
    chain = check(found)
    assert (chain.problems, chain.unsealed) == ((), ())
    assert chain.seals[chain.newest].signatures == signatures_of(found.signatures.layers)


def test_what_comes_in_while_a_step_works_is_not_sealed_by_it_but_by_the_next(
    device: TestedDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.sign()
    late: list[str] = []
    run_deploy(device, monkeypatch, lambda: late.append(device.attach_test_result()))
    found = read(device).attached
    assert [each.manifest for each in check(found).unsealed] == late
    ctx = device.context()
    apply(read_attached(found.image, ctx), ctx.device.find_image("app"), ctx)
    assert check(read(device).attached).unsealed == ()


def test_what_vanishes_while_a_step_works_is_missed(
    device: TestedDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.sign()
    judged = device.attach_test_result()  # no seal names it yet
    run_deploy(device, monkeypatch, lambda: device.remove(judged))
    (problem,) = [why for name, why in read(device).evidence.rejected if name == "seal"]
    assert f"the sealed test-result record {judged} is missing" in problem
