"""The real cosign verifies an image signature by every kind of key that may sign a release."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from autoclave.errors import SignerError
from autoclave.evidence import cosign
from autoclave.signers import keys, open_signer
from autoclave.store.registry.store import RegistryStore
from builders.devices import program
from builders.registries import open_store, serve_with_referrers
from builders.sample_image import write_image

KINDS: dict[str, Callable[[], Any]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "RSA-3072": lambda: rsa.generate_private_key(65537, 3072),
    "RSA-4096": lambda: rsa.generate_private_key(65537, 4096),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
}
REFUSED = {"P-384", "P-521"}


def write_key(folder: Path, private: Any) -> tuple[Path, Path]:
    """Write a key pair as people keep it; return the files of the private and the public half."""
    secret, public = folder / "release.pem", folder / "release.pub"
    secret.touch(mode=0o600)
    secret.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return secret, public


def is_verified(public: Path, reference: str) -> bool:
    """Return whether the real cosign verifies the image's signature."""
    argv = [program("cosign", "AUTOCLAVE_COSIGN"), "verify", "--key", str(public), "--insecure-ignore-tlog"]
    argv += ["--new-bundle-format=false", "--allow-http-registry", reference]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("kind", KINDS)
def test_cosign_verifies_what_a_release_key_signs(kind: str, tmp_path: Path) -> None:
    secret, public = write_key(tmp_path, KINDS[kind]())
    signer = open_signer(f"file:{secret}", None)
    with serve_with_referrers(tmp_path) as address:
        store: RegistryStore = open_store(address, tmp_path / "cache")
        image = write_image(store, os.urandom(16))
        cosign.sign_image(store, image.digest, "t/app", signer)
        assert is_verified(public, f"{address}/devices/app@{image.digest}") is (kind not in REFUSED)
    # What cosign cannot verify, 'sign' refuses; all else it takes.
    if kind in REFUSED:
        with pytest.raises(SignerError, match="cannot sign for others"):
            keys.refuse_other_than_cosigns(signer.public_key)
    else:
        keys.refuse_other_than_cosigns(signer.public_key)
