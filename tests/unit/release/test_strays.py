"""What anybody who may write to the store attaches is reported, never sealed, and closes nothing for ever."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec import structs
from securesystemslib.signer import CryptoSigner

from autoclave import release, sign
from autoclave.errors import ReleaseGateClosed
from autoclave.evidence import cosign, dsse, predicates, records, seal, statement
from autoclave.evidence.records import ARTIFACT_TYPE, CREATED, PREDICATE_TYPE, TITLE
from autoclave.evidence.statement import PAYLOAD_TYPE, PROVENANCE, TEST_RESULT, VERIFICATION, VULNS
from autoclave.signers import Signer, development
from autoclave.store.oci import MANIFEST, Descriptor, parse_manifest
from builders.sample_facts import SCAN, STEP_INFO, TESTS
from builders.tested_device import FixedContext, TestedDevice

STRANGER = CryptoSigner.generate_ecdsa()


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestedDevice:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "keys"))
    folder = tmp_path / "pump"
    folder.mkdir()
    return TestedDevice(folder)


def read(device: TestedDevice) -> release.Release:
    ctx = device.context()
    return release.read(ctx.device.find_image("app"), device.images["app"], ctx)


def attach_envelope(ctx: FixedContext, image: Descriptor, raw: bytes, kind: str = VULNS) -> str:
    """Attach an envelope as a record, and return the digest of its manifest."""
    envelope = ctx.store.write([raw], media_type=dsse.MEDIA_TYPE)
    return attach_layers(ctx, image, [envelope], kind)


def attach_layers(ctx: FixedContext, image: Descriptor, layers: list[Descriptor], kind: str = VULNS) -> str:
    marks = {PREDICATE_TYPE: kind, CREATED: "2999-01-01T00:00:00Z"}
    return ctx.store.attach(image, artifact_type=ARTIFACT_TYPE, layers=layers, annotations=marks).digest


def envelope_of(device: TestedDevice, name: str, kind: str) -> Descriptor:
    store = device.context().store
    found = next(
        each
        for each in store.referrers(device.images[name].digest)
        if each.annotations.get(PREDICATE_TYPE) == kind
    )
    return parse_manifest(store.read(found.digest), found.digest).layers[0]


def by_a_stranger(device: TestedDevice, ctx: FixedContext, image: Descriptor) -> str:
    body = statement.make(image.digest, VULNS, predicates.vulns(STEP_INFO, SCAN))
    return records.attach(ctx.store, image, body, VULNS, STRANGER).digest


def with_our_key_id(device: TestedDevice, ctx: FixedContext, image: Descriptor) -> str:
    raw = msgspec.json.decode(ctx.store.read(envelope_of(device, "app", VULNS).digest))
    raw["payload"] = base64.b64encode(b'{"passed":true}').decode()
    return attach_envelope(ctx, image, msgspec.json.encode(raw))


def about_another_image(device: TestedDevice, ctx: FixedContext, image: Descriptor) -> str:
    return attach_layers(ctx, image, [envelope_of(device, "tools", VULNS)])


def with_another_file(device: TestedDevice, ctx: FixedContext, image: Descriptor) -> str:
    file = ctx.store.write([b"x"], media_type="text/plain")
    named = structs.replace(file, annotations={TITLE: "trivy.json"})
    return attach_layers(ctx, image, [envelope_of(device, "app", VULNS), named])


def signed_as_something_else(device: TestedDevice, ctx: FixedContext, image: Descriptor) -> str:
    body = statement.make(image.digest, "https://sigstore.dev/cosign/sign/v1", {})
    return attach_envelope(ctx, image, dsse.sign(body, PAYLOAD_TYPE, step_key(ctx)))


def of_another_device(device: TestedDevice, ctx: FixedContext, image: Descriptor) -> str:
    made = structs.replace(STEP_INFO, device="infusion")
    body = statement.make(image.digest, TEST_RESULT, predicates.test_result(made, TESTS))
    return records.attach(ctx.store, image, body, TEST_RESULT, step_key(ctx)).digest


def step_key(ctx: FixedContext) -> Signer:
    return ctx.open_signer("", "", development.STEPS)


STRAYS: dict[str, tuple[Callable[[TestedDevice, FixedContext, Descriptor], str], str]] = {
    "by a stranger": (by_a_stranger, "signed by an unknown key"),
    "with our key id": (with_our_key_id, "signature does not match its content"),
    "no envelope": (lambda _, ctx, image: attach_envelope(ctx, image, b"{}"), "is not a DSSE envelope"),
    "nonsense": (lambda _, ctx, image: attach_envelope(ctx, image, b"\xff" * 99), "is not a DSSE envelope"),
    "no layer": (lambda _, ctx, image: attach_layers(ctx, image, []), "is not a DSSE envelope"),
    "about another image": (about_another_image, "is about another image"),
    "with another file": (with_another_file, "are not those that were signed"),
    "signed as something else": (signed_as_something_else, "is of an unknown type"),
    "of another device": (of_another_device, "of the device 'infusion'"),
    "one of ours again": (
        lambda device, ctx, image: attach_layers(ctx, image, [envelope_of(device, "app", VULNS)]),
        " again",
    ),
    "a thousand signatures": (
        lambda _, ctx, image: attach_envelope(
            ctx,
            image,
            b'{"payload":"","payloadType":"","signatures":[%s]}' % b",".join([b'{"sig":""}'] * 1000),
        ),
        "has 1,000 signatures",
    ),
}


@pytest.mark.parametrize(("attach", "why"), STRAYS.values(), ids=STRAYS)
def test_a_stray_record_is_reported_and_never_sealed(
    device: TestedDevice,
    capsys: pytest.CaptureFixture[str],
    attach: Callable[[TestedDevice, FixedContext, Descriptor], str],
    why: str,
) -> None:
    digest = attach(device, device.context(), device.images["app"])
    device.sign()
    assert "does not count" in capsys.readouterr().out
    found = read(device)
    assert found.result == "PASSED"
    assert [reason for _, reason in found.evidence.strays if why in reason]
    assert found.evidence.rejected == ()
    sealed = [each.manifest for each in next(iter(seal.seals_of(found.records).values())).records]
    assert digest not in sealed
    device.remove(digest)
    assert read(device).evidence.rejected == ()
    device.sign(again=True)
    assert read(device).evidence.strays == ()


@pytest.mark.parametrize("kind", [VERIFICATION, "urn:autoclave:predicate:seal:v1"])
def test_what_was_sealed_and_became_a_stray_closes_the_gate(device: TestedDevice, kind: str) -> None:
    device.sign()
    device.sign(again=True)  # a seal over the seal
    store, image = device.context().store, device.images["app"]
    first = next(each for each in store.referrers(image.digest) if each.annotations[PREDICATE_TYPE] == kind)
    manifest = parse_manifest(store.read(first.digest), first.digest)
    (device.folder / ".autoclave/store/blobs/sha256" / manifest.layers[0].digest[7:]).write_bytes(b"{}")
    found = read(device)
    assert any("does not verify" in why for name, why in found.evidence.rejected if name == "seal")
    with pytest.raises(ReleaseGateClosed):
        device.sign()


def test_what_a_trusted_key_signed_and_is_wrong_closes_the_gate_until_it_is_removed(
    device: TestedDevice,
) -> None:
    ctx, image = device.context(), device.images["app"]
    body = statement.make(image.digest, PROVENANCE, {"autoclave": STEP_INFO})
    release_key = ctx.open_signer("", "", development.RELEASE)
    wrong = records.attach(ctx.store, image, body, PROVENANCE, release_key).digest
    with pytest.raises(ReleaseGateClosed, match="gate closed") as closed:
        device.sign()
    assert "may not sign build" in closed.value.why
    device.remove(wrong)
    device.sign()
    assert read(device).evidence.rejected == ()


def test_one_of_ours_that_was_exchanged_for_its_like_after_the_seal_is_still_there(
    device: TestedDevice,
) -> None:
    device.sign()
    ctx, image = device.context(), device.images["app"]
    before = {each.digest for each in ctx.store.referrers(image.digest)}
    again = attach_layers(ctx, image, [envelope_of(device, "app", TEST_RESULT)], TEST_RESULT)
    assert [why for _, why in read(device).evidence.strays] == [f"it is {first_of(device, before)} again"]
    device.remove(first_of(device, before))
    found = read(device)
    assert (found.evidence.rejected, found.evidence.strays) == ((), ())
    assert again in {each.digest for each in found.records}
    device.sign(again=True)
    device.remove(again)
    assert any("is missing" in why for _, why in read(device).evidence.rejected)


def first_of(device: TestedDevice, among: set[str]) -> str:
    listed = device.context().store.referrers(device.images["app"].digest)
    return next(
        each.digest
        for each in listed
        if each.digest in among and each.annotations[PREDICATE_TYPE] == TEST_RESULT
    )


def test_a_missing_record_is_explained_by_the_stray_one_in_its_place(device: TestedDevice) -> None:
    ctx, image = device.context(), device.images["app"]
    good = next(
        each for each in ctx.store.referrers(image.digest) if each.annotations[PREDICATE_TYPE] == VULNS
    )
    device.remove(good.digest)
    by_a_stranger(device, ctx, image)
    with pytest.raises(ReleaseGateClosed) as closed:
        device.sign()
    assert "no valid vulns record is attached to the image; one is that does not count: " in closed.value.why


@pytest.mark.parametrize("junk", [b"nonsense", b'{"schemaVersion":2}', b'{"layers":"x"}'])
def test_something_else_in_the_place_of_the_signatures_is_replaced(device: TestedDevice, junk: bytes) -> None:
    ctx, image = device.context(), device.images["app"]
    ctx.store.tag(cosign.tag(image.digest, "sig"), ctx.store.write([junk], media_type=MANIFEST))
    device.sign()
    assert len(read(device).attached.signatures.layers) == 1


def test_a_signature_that_is_none_is_not_sealed(device: TestedDevice) -> None:
    ctx, image = device.context(), device.images["app"]
    cosign.sign_image(ctx.store, image.digest, "x", STRANGER)
    device.sign()
    found = read(device)
    (sealed,) = seal.seals_of(found.records).values()
    assert len(found.attached.signatures.layers) == 2
    assert len(sealed.signatures) == 1
    cosign._list(ctx.store, cosign.tag(image.digest, "sig"), [found.attached.signatures.layers[-1]])
    assert read(device).evidence.rejected == ()


def test_many_strays_are_read_in_bounded_time_and_reported_in_few_lines(
    device: TestedDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    ctx, image = device.context(), device.images["app"]
    body = statement.make(image.digest, VULNS, predicates.vulns(STEP_INFO, SCAN))
    envelope = ctx.store.write([dsse.sign(body, PAYLOAD_TYPE, STRANGER)], media_type=dsse.MEDIA_TYPE)
    for number in range(300):
        ctx.store.attach(
            image,
            artifact_type=ARTIFACT_TYPE,
            layers=[envelope],
            annotations={PREDICATE_TYPE: VULNS, CREATED: str(number)},
        )
    began = time.process_time()
    sign.run(sign.Options(folder=str(device.folder)), device.context())
    assert time.process_time() - began < 20
    output = capsys.readouterr().out
    assert output.count("does not count") == 5
    assert "295 more records that do not count" in output
