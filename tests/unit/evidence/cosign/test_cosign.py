"""The release signature: about this digest, by this key, and unchanged."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner

from autoclave.errors import RecordError
from autoclave.evidence import cosign
from autoclave.evidence.trust import TrustedKey
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import EMPTY, EMPTY_BLOB, MANIFEST, Descriptor, Manifest, encode
from builders.sample_image import verify_signature

SIGNER = CryptoSigner.generate_ecdsa()
KEY = TrustedKey(name="release", key=SIGNER.public_key, may=("release",))
DIGEST, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "store")


def payload(digest: str = DIGEST, kind: str = cosign.PAYLOAD_TYPE) -> bytes:
    critical = {
        "identity": {"docker-reference": "pump/app"},
        "image": {"docker-manifest-digest": digest},
        "type": kind,
    }
    return json.dumps({"critical": critical, "optional": None}).encode()


def list_signature(
    store: LayoutStore, body: bytes, signature: str, kind: str = cosign.SIMPLE_SIGNING
) -> None:
    """List a signature of the image DIGEST as anybody who can write to the store could."""
    layer = store.write([body], media_type=kind)
    signed = Descriptor(
        media_type=kind,
        digest=layer.digest,
        size=layer.size,
        annotations={cosign.SIGNATURE: signature},
    )
    config = store.write([EMPTY_BLOB], media_type=EMPTY)
    manifest = Manifest(schema_version=2, media_type=MANIFEST, config=config, layers=[signed])
    store.tag(cosign.tag(DIGEST, "sig"), store.write([encode(manifest)], media_type=MANIFEST))


def sign(body: bytes) -> str:
    return base64.b64encode(bytes.fromhex(SIGNER.sign(body).signature)).decode()


def test_a_signature_made_elsewhere_counts(store: LayoutStore) -> None:
    list_signature(store, payload(), sign(payload()))
    assert verify_signature(store, DIGEST, [KEY]) == [KEY]


SPOILT: list[tuple[bytes, str, dict[str, Any]]] = [
    (payload(OTHER), sign(payload(OTHER)), {}),
    (payload(), sign(payload(OTHER)), {}),
    (payload(kind="something else"), sign(payload(kind="something else")), {}),
    (payload() + b" ", sign(payload()), {}),
    (payload(), "", {}),
    (payload(), "no base64!", {}),
    (b"{}", sign(b"{}"), {}),
    (b"\xff", sign(b"\xff"), {}),
    (payload(), sign(payload()), {"kind": "application/json"}),
]


@pytest.mark.parametrize(("body", "signature", "more"), SPOILT, ids=range(len(SPOILT)))
def test_a_damaged_signature_does_not_count(
    store: LayoutStore, body: bytes, signature: str, more: dict[str, Any]
) -> None:
    list_signature(store, body, signature, **more)
    with pytest.raises(RecordError, match="no trusted release key"):
        verify_signature(store, DIGEST, [KEY])


def test_without_keys_nothing_verifies(store: LayoutStore) -> None:
    cosign.sign_image(store, DIGEST, "pump/app", SIGNER)
    with pytest.raises(RecordError, match="no trusted release key"):
        verify_signature(store, DIGEST, [])
