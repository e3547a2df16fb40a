"""DSSE envelopes: sign and verify (source: dsse protocol.md and envelope.md)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec
from msgspec import Struct
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Key, Signature, Signer

from autoclave.errors import RecordError

_MOST = 100
"""Each signature is tried with each key."""

MEDIA_TYPE = "application/vnd.dsse.envelope.v1+json"


class _Signature(Struct, kw_only=True):
    sig: str
    keyid: str = ""


class Envelope(Struct, kw_only=True, rename="camel"):
    """An envelope as it is on the wire; `payload` is base64."""

    payload: str
    payload_type: str
    signatures: list[_Signature]


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed: the pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, payload_type: str, signer: Signer) -> bytes:
    """Return a signed envelope as JSON."""
    return msgspec.json.encode(
        Envelope(
            payload=base64.b64encode(payload).decode(),
            payload_type=payload_type,
            signatures=[_signature(payload, payload_type, signer)],
        )
    )


def countersign(raw: bytes, signer: Signer) -> bytes:
    """Return an envelope with one more signature over the same payload. Raises RecordError."""
    payload, kind, _ = decode(raw)
    envelope = msgspec.json.decode(raw, type=Envelope)
    envelope.signatures.append(_signature(payload, kind, signer))
    return msgspec.json.encode(envelope)


def _signature(payload: bytes, payload_type: str, signer: Signer) -> _Signature:
    made = signer.sign(pae(payload_type, payload))
    return _Signature(sig=base64.b64encode(bytes.fromhex(made.signature)).decode(), keyid=made.keyid)


def decode(raw: bytes) -> tuple[bytes, str, list[tuple[str, bytes]]]:
    """Decode an envelope *without verifying it*: payload, its type, (key id, signature) pairs.

    Raises RecordError when it is not an envelope or has no signature.
    """
    try:
        envelope = msgspec.json.decode(raw, type=Envelope)
        payload = _b64(envelope.payload)
        signatures = [(each.keyid, _b64(each.sig)) for each in envelope.signatures]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, binascii.Error) as error:
        raise RecordError("the record is not a DSSE envelope", why=str(error)) from error
    if not 0 < len(signatures) <= _MOST:
        found = "no signature" if not signatures else f"{len(signatures):,} signatures"
        raise RecordError(f"the record has {found}")
    return payload, envelope.payload_type, signatures


def verify(raw: bytes, keys: Sequence[Key]) -> tuple[bytes, str, list[Key]]:
    """Return payload, payload type, and every one of `keys` whose signature over it is good.

    The key id in an envelope is only a hint and is not authenticated, so each key is tried on
    each signature.
    """
    payload, kind, signatures = decode(raw)
    message = pae(kind, payload)
    good = [key for key in keys if any(is_good(key, signature, message) for _, signature in signatures)]
    return payload, kind, good


def is_plain(raw: bytes) -> bool:
    """Return whether an envelope has one signature, and no other bytes than `sign` would have written."""
    payload, kind, signatures = decode(raw)
    listed = [_Signature(sig=base64.b64encode(sig).decode(), keyid=keyid) for keyid, sig in signatures]
    again = Envelope(payload=base64.b64encode(payload).decode(), payload_type=kind, signatures=listed)
    return len(listed) == 1 and msgspec.json.encode(again) == raw


def is_good(key: Key, signature: bytes, message: bytes) -> bool:
    """Return whether the signature over the message was made with this key."""
    try:
        key.verify_signature(Signature(key.keyid, signature.hex()), message)
    except (UnverifiedSignatureError, VerificationError):
        return False
    return True


def _b64(text: str) -> bytes:
    # Verifiers must accept the URL-safe alphabet as well (protocol.md).
    return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
