"""A new pair of keys in two files: the private half for its owner alone, the public one for everybody."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from msgspec import Struct

from autoclave.errors import SignerError
from autoclave.signers.encryption import encrypt

ALGORITHMS = ("p-256", "ed25519")
"""What a release key may be, too: cosign verifies both."""


class KeyPair(Struct, frozen=True):
    """The two files of a key, and the public half in PEM form."""

    private: Path
    public: Path
    pem: bytes


def make(folder: Path, name: str, algorithm: str, choose: Callable[[], bytes | None]) -> KeyPair:
    """Make a key and write `NAME.pem` (mode 600) and `NAME.pub`. Raises SignerError; nothing is replaced.

    `choose` returns the passphrase that encrypts the private half, or None: it is asked once both names are
    known to be free.
    """
    pair = KeyPair(folder / f"{name}.pem", folder / f"{name}.pub", b"")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in (pair.private, pair.public):
            if os.path.lexists(path):
                raise _taken(path)
        secret = choose()
        private = (
            Ed25519PrivateKey.generate() if algorithm == "ed25519" else generate_private_key(SECP256R1())
        )
        pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        plain = (
            encrypt(private, secret)
            if secret is not None
            else private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        # The private half comes first: a public key alone would look like one that signs.
        write_new(pair.private, plain, 0o600)
        write_new(pair.public, pem, 0o644)
    except FileExistsError as error:
        raise _taken(Path(error.filename2 or folder)) from error
    except OSError as error:
        raise SignerError(
            f"no key can be written into {folder}",
            why=error.strerror or str(error),
            next="name a folder that can be written with --output",
        ) from error
    return KeyPair(pair.private, pair.public, pem)


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a new file, durably, whole or not at all. Raises FileExistsError, OSError."""
    made = path.with_name(f".{secrets.token_hex(16)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.link(made, path)
    finally:
        made.unlink()


def _taken(path: Path) -> SignerError:
    return SignerError(
        f"{path} exists already",
        why="what a key that is replaced has signed cannot be signed again",
        next="name the new key with --name, or another folder with --output",
    )
