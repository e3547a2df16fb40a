"""A private key that a passphrase protects: PKCS#8 with PBES2 (PBKDF2 with HMAC-SHA-256, AES-256-CBC).

OpenSSL's own number of iterations is 2,048, which is too few for a passphrase that a person chose; what reads
such files takes any number. Source: RFC 8018 (PBES2, PBKDF2), RFC 5958 (EncryptedPrivateKeyInfo), RFC 7468.
"""

from __future__ import annotations

import base64
import secrets
import textwrap

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

ITERATIONS = 600_000
"""What OWASP's password storage cheat sheet names for PBKDF2 with HMAC-SHA-256."""

_SEQUENCE, _INTEGER, _OCTETS = 0x30, 0x02, 0x04
_NULL = bytes.fromhex("0500")
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256 = bytes.fromhex("06082a864886f70d0209")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")


def encrypt(private: PrivateKeyTypes, passphrase: bytes) -> bytes:
    """Return a private key in PEM form, encrypted with a passphrase."""
    salt, vector = secrets.token_bytes(16), secrets.token_bytes(16)
    key = PBKDF2HMAC(SHA256(), 32, salt, ITERATIONS).derive(passphrase)
    padder, encryptor = PKCS7(128).padder(), Cipher(AES256(key), CBC(vector)).encryptor()
    plain = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    secret = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    derivation = _sequence(
        _PBKDF2,
        _sequence(
            _tagged(_OCTETS, salt), _tagged(_INTEGER, _number(ITERATIONS)), _sequence(_HMAC_SHA256, _NULL)
        ),
    )
    cipher = _sequence(_AES_256_CBC, _tagged(_OCTETS, vector))
    whole = _sequence(_sequence(_PBES2, _sequence(derivation, cipher)), _tagged(_OCTETS, secret))
    lines = textwrap.wrap(base64.b64encode(whole).decode(), 64)
    return "\n".join(
        ["-----BEGIN ENCRYPTED PRIVATE KEY-----", *lines, "-----END ENCRYPTED PRIVATE KEY-----", ""]
    ).encode()


def _sequence(*parts: bytes) -> bytes:
    return _tagged(_SEQUENCE, b"".join(parts))


def _tagged(tag: int, content: bytes) -> bytes:
    """Return a value in DER: its tag, its length and its content."""
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _number(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big")
