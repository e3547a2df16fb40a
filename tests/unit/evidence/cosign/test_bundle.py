"""Bundles as cosign 3 attaches them: which one is a release signature, and which one is not."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner

from autoclave.errors import RecordError
from autoclave.evidence import cosign, dsse, records
from autoclave.evidence.cosign import bundle as cosign_bundle
from autoclave.evidence.cosign import third_party
from autoclave.evidence.cosign.bundle import BUNDLE, SIGN
from autoclave.evidence.statement import PAYLOAD_TYPE, TEST_RESULT, TYPE, VERIFICATION
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import CONFIG, MANIFEST, Descriptor, Manifest, encode
from builders.sample_image import verify_signature

SIGNER, STRANGER = CryptoSigner.generate_ecdsa(), CryptoSigner.generate_ecdsa()
KEY = TrustedKey(name="release", key=SIGNER.public_key, may=("release",))
TRUST = Trust((KEY,), "test")


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "store")


@pytest.fixture
def image(store: LayoutStore) -> Descriptor:
    config = store.write([b"{}"], media_type=CONFIG)
    raw = encode(Manifest(schema_version=2, media_type=MANIFEST, config=config, layers=[]))
    written = store.write([raw], media_type=MANIFEST)
    store.tag("app", written)
    return written


def statement(digest: str, predicate_type: str = SIGN) -> dict[str, Any]:
    """What cosign 3 signs."""
    subject = {"digest": {"sha256": digest.removeprefix("sha256:")}, "annotations": {}}
    return {"_type": TYPE, "subject": [subject], "predicateType": predicate_type, "predicate": {}}


def bundle(body: Any, signer: CryptoSigner = SIGNER, kind: str = PAYLOAD_TYPE) -> dict[str, Any]:
    """A bundle as cosign 3 writes it, with the hint of the key that is trusted."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    made = json.loads(dsse.sign(payload, kind, signer))
    del made["signatures"][0]["keyid"]
    material = {"publicKey": {"hint": SIGNER.public_key.keyid}}
    return {"mediaType": BUNDLE, "verificationMaterial": material, "dsseEnvelope": made}


def attach(store: LayoutStore, image: Descriptor, content: Any, **more: Any) -> Descriptor:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    layers = more.pop("layers", None) or [store.write([raw], media_type=BUNDLE)]
    claims = {"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": SIGN}
    return store.attach(image, artifact_type=BUNDLE, layers=layers, annotations=claims, **more)


def test_a_bundle_signature_counts(store: LayoutStore, image: Descriptor) -> None:
    attach(store, image, bundle(statement(image.digest)))
    other = TrustedKey(name="other", key=STRANGER.public_key, may=("release",))
    assert verify_signature(store, image.digest, [other, KEY]) == [KEY]


def test_a_key_that_signed_twice_counts_once(store: LayoutStore, image: Descriptor) -> None:
    for _ in range(2):  # two signatures by one key differ
        attach(store, image, bundle(statement(image.digest)))
    assert len(cosign_bundle.list_bundles(store, image.digest)) == 2
    assert verify_signature(store, image.digest, [KEY]) == [KEY]


def test_a_bundle_under_another_type_is_not_looked_at(store: LayoutStore, image: Descriptor) -> None:
    layer = store.write([json.dumps(bundle(statement(image.digest))).encode()], media_type=BUNDLE)
    store.attach(image, artifact_type=records.ARTIFACT_TYPE, layers=[layer], annotations={})
    with pytest.raises(RecordError, match="has no release signature"):
        verify_signature(store, image.digest, [KEY])


def test_a_signature_in_the_older_format_is_enough(
    store: LayoutStore, image: Descriptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    cosign.sign_image(store, image.digest, "pump/app", SIGNER)
    monkeypatch.delattr(cosign_bundle, "find_signers")  # is not asked
    assert verify_signature(store, image.digest, [KEY]) == [KEY]


def test_a_bundle_signature_counts_beside_bad_ones(store: LayoutStore, image: Descriptor) -> None:
    cosign.sign_image(store, image.digest, "pump/app", STRANGER)
    attach(store, image, b"no bundle")
    attach(store, image, bundle(statement(image.digest), STRANGER))
    attach(store, image, bundle(statement(image.digest)))
    assert verify_signature(store, image.digest, [KEY]) == [KEY]


@pytest.mark.parametrize(
    "kind", [TEST_RESULT, VERIFICATION, "https://cosign.sigstore.dev/attestation/v1", ""]
)
def test_an_attestation_by_the_release_key_is_not_a_signature(
    store: LayoutStore, image: Descriptor, kind: str
) -> None:
    attach(store, image, bundle(statement(image.digest, kind)))  # annotated as a signature
    with pytest.raises(RecordError) as caught:
        verify_signature(store, image.digest, [KEY])
    assert "it is an attestation, not a signature" in caught.value.why


def with_change(make: Callable[[dict[str, Any]], Any]) -> Callable[[str], Any]:
    """Change a good statement before it is signed."""

    def spoil(digest: str) -> Any:
        body = statement(digest)
        make(body)
        return bundle(body)

    return spoil


def spoilt(make: Callable[[dict[str, Any]], Any]) -> Callable[[str], Any]:
    """Change a good bundle after it was signed."""

    def spoil(digest: str) -> Any:
        made = copy.deepcopy(bundle(statement(digest)))
        make(made)
        return made

    return spoil


OTHER = {"digest": {"sha256": "2" * 64}}
PAYLOAD = base64.b64encode(json.dumps(statement("sha256:" + "2" * 64)).encode()).decode()

SPOILT: dict[str, tuple[Callable[[str], Any], str]] = {
    "another image": (with_change(lambda s: s.update(subject=[OTHER])), "another image"),
    "digest of another kind": (
        with_change(lambda s: s["subject"][0].update(digest={"sha512": s["subject"][0]["digest"]["sha256"]})),
        "another image",
    ),
    "two images": (with_change(lambda s: s["subject"].append(OTHER)), "not a signature as cosign makes it"),
    "no subject": (with_change(lambda s: s.update(subject=[])), "another image"),
    "older statement": (
        with_change(lambda s: s.update(_type="https://in-toto.io/Statement/v0.1")),
        "not a signature as cosign",
    ),
    "unknown statement": (with_change(lambda s: s.update(_type="x")), "another version"),
    "predicate type is a number": (
        with_change(lambda s: s.update(predicateType=1)),
        "not contain an in-toto statement",
    ),
    "no statement": (lambda _: bundle(b"[]"), "not contain an in-toto statement"),
    "no text": (lambda _: bundle(b"\xff\xfe"), "not contain an in-toto statement"),
    "deep": (lambda _: bundle(b'{"a":' * 100_000), "not contain an in-toto statement"),
    "deep bundle": (lambda _: b'{"a":' * 100_000, "not a bundle"),
    "other payload type": (lambda d: bundle(statement(d), kind="text/plain"), "not an in-toto statement"),
    "payload type changed": (
        spoilt(lambda b: b["dsseEnvelope"].update(payloadType="text/plain")),
        "not signed by",
    ),
    "payload changed": (spoilt(lambda b: b["dsseEnvelope"].update(payload=PAYLOAD)), "not signed by"),
    "stranger's key": (lambda d: bundle(statement(d), STRANGER), "not signed by"),
    "two signatures": (
        spoilt(lambda b: b["dsseEnvelope"]["signatures"].append({"sig": "AA=="})),
        "not a signature as cosign",
    ),
    "no signatures": (spoilt(lambda b: b["dsseEnvelope"].update(signatures=[])), "no signature"),
    "no base64": (
        spoilt(lambda b: b["dsseEnvelope"]["signatures"][0].update(sig="*")),
        "not a DSSE envelope",
    ),
    "no envelope": (spoilt(lambda b: b.pop("dsseEnvelope")), "not a bundle"),
    "envelope is a list": (spoilt(lambda b: b.update(dsseEnvelope=[])), "not a DSSE envelope"),
    "message signature": (
        spoilt(lambda b: b.update(messageSignature=b.pop("dsseEnvelope"))),
        "not a bundle",
    ),
    "other version": (spoilt(lambda b: b.update(mediaType=BUNDLE.replace("0.3", "0.9"))), "another version"),
    "empty": (lambda _: b"", "not a bundle"),
    "null": (lambda _: b"null", "not a bundle"),
    "not UTF-8": (lambda _: b'{"mediaType":"\xff"}', "not a bundle"),
    "huge": (lambda d: bundle(statement(d)) | {"more": "x" * (1 << 20)}, "bytes"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_damaged_bundle_does_not_count(store: LayoutStore, image: Descriptor, case: str) -> None:
    make, why = SPOILT[case]
    attach(store, image, make(image.digest))
    with pytest.raises(RecordError, match="no trusted release key") as caught:
        verify_signature(store, image.digest, [KEY])
    assert why in caught.value.why


def test_a_manifest_holds_one_bundle(store: LayoutStore, image: Descriptor) -> None:
    good = store.write([json.dumps(bundle(statement(image.digest))).encode()], media_type=BUNDLE)
    envelope = Descriptor(media_type=dsse.MEDIA_TYPE, digest=good.digest, size=good.size)
    for layers in ([good, good], [envelope]):
        attach(store, image, b"", layers=layers)
    with pytest.raises(RecordError) as caught:
        verify_signature(store, image.digest, [KEY])
    assert caught.value.why.count("does not have exactly one bundle") == 2


def test_a_bundle_whose_content_is_missing_does_not_count(store: LayoutStore, image: Descriptor) -> None:
    made = json.dumps(bundle(statement(image.digest))).encode()
    attach(store, image, made)
    blob = store.write([made], media_type=BUNDLE).digest.removeprefix("sha256:")
    (store.root / "blobs" / "sha256" / blob).unlink()
    with pytest.raises(RecordError, match="no trusted release key"):
        verify_signature(store, image.digest, [KEY])


def test_at_most_five_reasons_are_shown(store: LayoutStore, image: Descriptor) -> None:
    for number in range(20):
        attach(store, image, b"%d" % number)
    with pytest.raises(RecordError) as caught:
        verify_signature(store, image.digest, [KEY])
    assert caught.value.why.count("bundle sha256:") == 5


def test_a_signature_of_another_image_attached_here_does_not_count(
    store: LayoutStore, image: Descriptor
) -> None:
    attach(store, image, bundle(statement("sha256:" + "3" * 64)))
    with pytest.raises(RecordError):
        verify_signature(store, image.digest, [KEY])


def test_bundles_are_not_records(store: LayoutStore, image: Descriptor) -> None:
    attach(store, image, bundle(statement(image.digest)))
    attach(store, image, bundle(statement(image.digest, VERIFICATION)))
    attach(store, image, b"nonsense")
    assert records.read_all(store, image.digest, TRUST) == ([], [])


def test_attestations_of_others_are_read_in_both_formats(store: LayoutStore, image: Descriptor) -> None:
    attach(store, image, bundle(statement(image.digest)))  # a signature: no attestation
    attach(store, image, bundle(statement(image.digest, "https://example.org/bundle")))
    attach(store, image, bundle(statement(image.digest, "https://example.org/stranger"), STRANGER))
    attach(store, image, bundle(statement("sha256:" + "3" * 64, "https://example.org/another")))
    attach(store, image, b"nonsense")
    older = statement(image.digest, "https://example.org/tag") | {"_type": cosign_bundle.STATEMENTS[1]}
    ours = dsse.sign(json.dumps(statement(image.digest, TEST_RESULT)).encode(), PAYLOAD_TYPE, SIGNER)
    layers = [
        store.write(
            [dsse.sign(json.dumps(older).encode(), PAYLOAD_TYPE, SIGNER)], media_type=dsse.MEDIA_TYPE
        ),
        store.write([ours], media_type=dsse.MEDIA_TYPE),
        store.write([b"nonsense"], media_type=dsse.MEDIA_TYPE),
        store.write([b'{"a":' * 100_000], media_type=dsse.MEDIA_TYPE),
        store.write([b"something else"], media_type="text/plain"),
    ]
    cosign.add(store, image.digest, "att", layers)
    found, others = third_party.read_attestations(store, image.digest, TRUST, ours=[layers[1].digest])
    kinds = [each.statement.predicate_type for each in found]
    assert kinds == ["https://example.org/tag", "https://example.org/bundle"]
    assert [each.keys for each in found] == [(KEY,), (KEY,)]
    assert others == 5


def test_our_records_are_listed_beside_what_others_attested(store: LayoutStore, image: Descriptor) -> None:
    theirs = store.write([b"theirs"], media_type=dsse.MEDIA_TYPE)
    cosign.add(store, image.digest, "att", [theirs])
    cosign.add_attestations(store, image.digest, [])
    assert [each.digest for each in cosign.list_layers(store, image.digest, "att")] == [theirs.digest]
