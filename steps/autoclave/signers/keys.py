"""Public keys in PEM form: exactly one, of a kind and a strength that others can verify.

Source: RFC 7468 (textual encodings); NIST SP 800-131A and FIPS 186-5 (RSA: 2048 bits are the least today, and
3072 for what must be valid after 2030; an exponent is odd and above 2^16).
"""

from __future__ import annotations

import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from securesystemslib.signer import Key, SSlibKey

from autoclave.errors import SignerError

LARGEST = 64 * 1024
"""Most bytes of a key file."""

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s[A-Za-z0-9+/=\s]+-----END ([A-Z0-9 ]+)-----")
_KINDS = (b"PUBLIC KEY", b"RSA PUBLIC KEY")
_CURVES = (SECP256R1, SECP384R1, SECP521R1)
_RSA_SCHEME = "rsa-pkcs1v15-sha256"
"""What cosign verifies with an RSA key (sigstore, pkg/signature, LoadVerifier); the library's own is PSS."""
_COSIGN = frozenset({"ecdsa-sha2-nistp256", "ed25519", _RSA_SCHEME})
_RSA_BITS = (3072, 16_384)
_RSA_EXPONENTS = (1 << 16, 1 << 256)
# Points of small order: for such a key, everybody can sign anything.
_SMALL_ORDER = {
    "00" * 32,
    "01" + "00" * 31,
    "ec" + "ff" * 30 + "7f",
    "ed" + "ff" * 30 + "7f",
    "ee" + "ff" * 30 + "7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
}
_USABLE = "P-256, P-384, P-521, Ed25519, and RSA from 3072 bits"
_NEXT = "'openssl pkey -in KEY -pubout' writes one"


def read_public(pem: bytes, what: str) -> Key:
    """Return the public key of a PEM text; `what` names it in messages. Raises SignerError.

    The text has exactly one block, with nothing after it. Before it there may be words about the key. What is
    in the text is never printed: it may be a private key.
    """
    begins = pem.count(b"-----BEGIN ")
    if b"PRIVATE KEY-----" in pem:
        raise SignerError(
            f"{what} is a private key, where a public one belongs",
            why="whoever reads this file could sign with it",
            next="use its public half ('openssl pkey -in KEY -pubout'), or a new key if others saw it",
        )
    if len(pem) > LARGEST or begins != 1:
        raise _unusable(
            what, f"it has {begins} PEM blocks; a key is one" if begins else "it is not in PEM form"
        )
    found = _BLOCK.search(pem)
    if not found or found[1] != found[2] or found[1] not in _KINDS:
        raise _unusable(what, "its PEM block is not a whole 'PUBLIC KEY'")
    if pem[found.end() :].strip():
        raise _unusable(what, "there is text after its PEM block")
    try:
        key = load_pem_public_key(found[0] + b"\n")
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(what, str(error)) from error
    return accept(key, what)


def accept(key: PublicKeyTypes, what: str) -> SSlibKey:
    """Return a public key when its kind and strength are accepted; raise SignerError otherwise.

    Two encodings of one key give the same `keyid`: it is made of the parsed key.
    """
    if why := weakness(key):
        raise SignerError(
            f"{what} is not accepted: {why}",
            why=f"accepted are {_USABLE}",
            next="make another key: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out KEY",
        )
    return SSlibKey.from_crypto(key, scheme=_RSA_SCHEME if isinstance(key, RSAPublicKey) else None)


def refuse_other_than_cosigns(key: Key) -> None:
    """Raise SignerError for a key whose signature of an image cosign cannot verify.

    It takes SHA-256 with every ECDSA key, and the signers here the hash that belongs to the curve.
    """
    if key.scheme in _COSIGN:
        return
    raise SignerError(
        f"the release key {key.keyid[:12]} cannot sign for others",
        why=f"cosign cannot verify its signatures ({key.scheme}): of ECDSA it verifies SHA-256 alone",
        next="release with a P-256, Ed25519 or RSA key; steps may sign records with P-384 and P-521",
    )


def weakness(key: PublicKeyTypes) -> str:
    """Return why nobody should rely on signatures of a key, or an empty string."""
    if isinstance(key, RSAPublicKey):
        least, most = _RSA_BITS
        exponent = key.public_numbers().e
        if not least <= key.key_size <= most:
            return f"RSA with {key.key_size} bits ({least} to {most} are)"
        if exponent % 2 == 0 or not _RSA_EXPONENTS[0] < exponent < _RSA_EXPONENTS[1]:
            return f"RSA with the exponent {str(exponent)[:20]} (65537 is the usual one)"
        return ""
    if isinstance(key, EllipticCurvePublicKey):
        return "" if isinstance(key.curve, _CURVES) else f"the curve {key.curve.name}"
    if isinstance(key, Ed25519PublicKey):
        raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        plain = raw[:31] + bytes([raw[31] & 0x7F])
        return "everybody can sign for this Ed25519 key" if plain.hex() in _SMALL_ORDER else ""
    return f"a key of the kind {type(key).__name__.removesuffix('PublicKey').strip('_')}"


def _unusable(what: str, why: str) -> SignerError:
    return SignerError(f"{what} is not a usable public key", why=why, next=_NEXT)
