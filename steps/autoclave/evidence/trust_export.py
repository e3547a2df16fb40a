"""A trust file that needs no other file: keys and certificates inside, the same text for the same trust."""

from __future__ import annotations

import base64
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import Key

from autoclave.evidence.trust import Authority, Trust, TrustedKey
from autoclave.model.digest import digest_of


def text(trust: Trust) -> str:
    """Return the trust as the text of a trust file."""
    parts = [_key(each) for each in trust.keys] + [_authority(each) for each in trust.authorities]
    return "\n".join(parts)


def digest(trust: Trust) -> str:
    """Return the digest that names this trust in seals."""
    return digest_of(text(trust).encode())


def fingerprint(key: TrustedKey) -> str:
    """Return the SHA-256 fingerprint of a key: of its public half in DER form, as `openssl` makes it."""
    return digest_of(_der(pem(key)))


def pem(key: TrustedKey) -> str:
    """Return the public key in PEM form."""
    return pem_of(key.key)


def pem_of(key: Key) -> str:
    """Return a public key in PEM form."""
    public = str(key.keyval["public"])
    if key.keytype == "ed25519":  # kept as 32 bytes in hexadecimal
        made = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        public = made.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return public.strip() + "\n"


def _der(text: str) -> bytes:
    return base64.b64decode("".join(line for line in text.splitlines() if not line.startswith("-----")))


def _key(key: TrustedKey) -> str:
    lines = [
        "[[key]]",
        f"name = {_string(key.name)}",
        f"public = {_string(pem(key))}",
        f"may = [{', '.join(map(_string, key.may))}]",
    ]
    if key.places:
        lines.append(f"places = [{', '.join(map(_string, key.places))}]")
    if key.development:
        lines.append("development = true")
    if key.packages:
        lines.append(f"packages = [{', '.join(map(_string, key.packages))}]")
    if key.person:
        roles = ", ".join(map(_string, key.person.roles))
        person = f"id = {_string(key.person.id)}, name = {_string(key.person.name)}, roles = [{roles}]"
        lines.append(f"person = {{ {person} }}")
    return "\n".join(lines) + "\n"


def _authority(authority: Authority) -> str:
    return f"[[tsa]]\nname = {_string(authority.name)}\ncertificate = {_string(authority.certificate)}\n"


def _string(value: str) -> str:
    # A JSON string is a TOML string, but for DEL, which TOML requires to be escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
