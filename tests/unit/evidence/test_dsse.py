"""Envelopes: several signatures, foreign encodings, and what is no signature of ours."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from securesystemslib.signer import CryptoSigner

from autoclave.errors import RecordError
from autoclave.evidence import dsse

ONE, TWO = CryptoSigner.generate_ecdsa(), CryptoSigner.generate_ecdsa()
BOTH = [ONE.public_key, TWO.public_key]


def envelope(body: bytes = b"{}", kind: str = "t", signer: CryptoSigner = ONE) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(dsse.sign(body, kind, signer))
    return loaded


def good(data: dict[str, Any]) -> list[Any]:
    return dsse.verify(json.dumps(data).encode(), BOTH)[2]


def test_a_signature_is_good_for_its_key_alone() -> None:
    assert good(envelope()) == [ONE.public_key]
    assert good(envelope(signer=TWO)) == [TWO.public_key]


def test_each_of_two_signatures_counts() -> None:
    data = envelope()
    data["signatures"] += envelope(signer=TWO)["signatures"]
    assert good(data) == BOTH


def test_a_bad_signature_beside_a_good_one_adds_no_key() -> None:
    data = envelope()
    data["signatures"].insert(0, envelope(b"other", signer=TWO)["signatures"][0])
    assert good(data) == [ONE.public_key]


def test_a_raw_signature_is_not_the_der_one() -> None:
    data = envelope()
    r, s = decode_dss_signature(base64.b64decode(data["signatures"][0]["sig"]))
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    data["signatures"][0]["sig"] = base64.b64encode(raw).decode()
    assert good(data) == []


@pytest.mark.parametrize("signature", ["", "AA==", base64.b64encode(b"\0" * 71).decode()])
def test_an_invalid_signature_does_not_count(signature: str) -> None:
    data = envelope()
    data["signatures"][0]["sig"] = signature
    assert good(data) == []


def test_the_payload_type_is_signed() -> None:
    data = envelope()
    data["payloadType"] = "u"
    assert good(data) == []
    assert good(envelope(kind="u")) == [ONE.public_key]


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"\xff", b'{"payload":1}', b'{"payload":"e30","payloadType":"t","signatures":[]}']
)
def test_an_invalid_envelope_is_refused(raw: bytes) -> None:
    with pytest.raises(RecordError):
        dsse.verify(raw, BOTH)
