"""A key that signs, and a key that verifies: one, of an accepted kind and strength, and nobody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from securesystemslib.signer import CryptoSigner

from autoclave.errors import SignerError
from autoclave.signers import _exposure, keys, open_signer
from autoclave.signers.keys import read_public, weakness

ONE, TWO = (CryptoSigner.generate_ecdsa() for _ in range(2))
PEM = str(ONE.public_key.keyval["public"])
OTHER = str(TWO.public_key.keyval["public"])


def pem(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def rsa_key(bits: int, exponent: int = 65537) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(exponent, (1 << (bits - 1)) + 12345).public_key()


DSA = dsa.DSAPublicNumbers(3, dsa.DSAParameterNumbers((1 << 2047) + 1, (1 << 255) + 1, 2))


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (rsa_key(1024), "RSA with 1024 bits"),
        (rsa_key(2048), "RSA with 2048 bits"),
        (rsa_key(3071), "RSA with 3071 bits"),
        (rsa_key(3072, 3), "exponent 3"),
        (rsa_key(3072, 65535), "exponent 65535"),
        (ec.generate_private_key(ec.SECP256K1()).public_key(), "the curve secp256k1"),
        (ec.generate_private_key(ec.SECP224R1()).public_key(), "the curve secp224r1"),
        (ec.generate_private_key(ec.BrainpoolP256R1()).public_key(), "the curve brainpoolP256r1"),
        (ed448.Ed448PrivateKey.generate().public_key(), "Ed448"),
        (x25519.X25519PrivateKey.generate().public_key(), "X25519"),
        (ed25519.Ed25519PublicKey.from_public_bytes(bytes([1] + [0] * 31)), "everybody can sign"),
        (ed25519.Ed25519PublicKey.from_public_bytes(bytes(31) + b"\x80"), "everybody can sign"),
    ],
)
def test_a_weak_key_is_refused(key: PublicKeyTypes, says: str) -> None:
    assert says in weakness(key)
    with pytest.raises(SignerError, match="is not accepted") as caught:
        read_public(pem(key), "the key")
    assert "P-256" in caught.value.why


@pytest.mark.parametrize(
    "key",
    [
        rsa_key(3072),
        rsa_key(4096),
        *(
            ec.generate_private_key(curve).public_key()
            for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
        ),
        ed25519.Ed25519PrivateKey.generate().public_key(),
    ],
)
def test_a_strong_key_is_accepted(key: PublicKeyTypes) -> None:
    assert weakness(key) == ""
    assert read_public(pem(key), "the key").keyid


def test_another_kind_of_key_is_named() -> None:
    try:
        key = DSA.public_key()
    except ValueError:
        pytest.skip("this library makes no DSA key")
    assert "DSA" in weakness(key)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not in PEM form"),
        ("nonsense", "not in PEM form"),
        (PEM + OTHER, "2 PEM blocks"),
        (PEM + PEM, "2 PEM blocks"),
        (PEM + "and more", "text after"),
        (PEM + "\0", "text after"),
        (PEM.replace("PUBLIC KEY", "CERTIFICATE"), "not a whole"),
        (PEM.replace("END PUBLIC", "END RSA PUBLIC"), "not a whole"),
        (PEM[:-10], "not a whole"),
        (PEM.replace("M", "?", 1), "not a whole"),
        (PEM.replace("MFkw", "MFkx"), ""),
        ("x" * (1 << 17) + "\n" + PEM, "PEM block"),
    ],
)
def test_a_file_has_one_public_key_and_nothing_after_it(text: str, says: str) -> None:
    with pytest.raises(SignerError, match="not a usable public key") as caught:
        read_public(text.encode(), "the key")
    assert says in caught.value.why


def test_words_before_a_key_are_fine() -> None:
    assert read_public(f"whose it is\n{PEM}".encode(), "the key").keyid == ONE.public_key.keyid


def private(path: Path, signer: CryptoSigner = ONE, mode: int = 0o600) -> Path:
    path.write_bytes(signer.private_bytes)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o602, 0o610, 0o777])
def test_a_key_file_that_others_can_read_or_change_is_refused(mode: int, tmp_path: Path) -> None:
    path = private(tmp_path / "k.pem", mode=mode)
    with pytest.raises(SignerError, match="is open to others") as caught:
        open_signer(f"file:{path}", None)
    assert f"{mode:03o}" in caught.value.why
    (tmp_path / "link.pem").symlink_to(path)
    with pytest.raises(SignerError, match="is open to others"):
        open_signer(f"file:{tmp_path}/link.pem", None)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_file_of_its_owner_alone_signs(mode: int, tmp_path: Path) -> None:
    path = private(tmp_path / "k.pem", mode=mode)
    assert open_signer(f"file:{path}", None).public_key == ONE.public_key


def test_a_key_file_of_another_user_is_refused(tmp_path: Path) -> None:
    found = os.stat_result((0o100600, 0, 0, 1, 1000, 1000, 0, 0, 0, 0))
    assert "belongs to the user 1000" in _exposure(found, 1001)
    assert _exposure(found, 1000) == _exposure(found, 0) == ""


def test_a_file_with_two_private_keys_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    path.write_bytes(ONE.private_bytes + TWO.private_bytes)
    path.chmod(0o600)
    with pytest.raises(SignerError, match="several private keys"):
        open_signer(f"file:{path}", None)


@pytest.mark.parametrize("scheme", ["file2", "pkcs11", "FILE", "", "envvar", "sigstore"])
def test_a_key_file_is_opened_in_one_way_alone(scheme: str, tmp_path: Path) -> None:
    path = private(tmp_path / "k.pem", mode=0o644)
    with pytest.raises(SignerError, match=r"is no kind of key|has no URI") as caught:
        open_signer(f"{scheme}:{path}", ONE.public_key)
    assert "file:PATH" in caught.value.why


@pytest.mark.parametrize("uri", [ONE.private_bytes.decode(), "k.pem", "/secure/k.pem"])
def test_what_is_no_uri_is_not_printed(uri: str) -> None:
    with pytest.raises(SignerError, match="the key has no URI") as caught:
        open_signer(uri, ONE.public_key)
    assert uri[:20] not in f"{caught.value.what}{caught.value.why}"


def test_a_weak_private_key_does_not_sign(tmp_path: Path) -> None:
    for key in (rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP256K1())):
        path = tmp_path / "weak.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        path.chmod(0o600)
        with pytest.raises(SignerError, match="is not accepted"):
            open_signer(f"file:{path}", None)


def test_rsa_signs_as_cosign_verifies() -> None:
    assert keys.accept(rsa_key(3072), "it").scheme == "rsa-pkcs1v15-sha256"


@pytest.mark.parametrize(
    ("public", "good"),
    [
        (rsa_key(3072), True),
        (ed25519.Ed25519PrivateKey.generate().public_key(), True),
        (ec.generate_private_key(ec.SECP256R1()).public_key(), True),
        (ec.generate_private_key(ec.SECP384R1()).public_key(), False),
        (ec.generate_private_key(ec.SECP521R1()).public_key(), False),
    ],
)
def test_a_release_key_is_one_whose_signatures_cosign_can_verify(public: PublicKeyTypes, good: bool) -> None:
    key = keys.accept(public, "it")
    if good:
        keys.refuse_other_than_cosigns(key)
        return
    with pytest.raises(SignerError, match="cannot sign for others") as caught:
        keys.refuse_other_than_cosigns(key)
    assert "cosign cannot verify" in str(caught.value.why)
