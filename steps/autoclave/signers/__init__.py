"""Signers by URI: file, PKCS#11, AWS, GCP, Azure, Vault (whatever securesystemslib opens)."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import CryptoSigner, Key, Signer, SSlibKey

from autoclave.errors import SignerError

__all__ = ["Signer", "open_signer"]


def open_signer(uri: str, public: Key | None) -> Signer:
    """Open a signer by URI. Raises SignerError.

    `file:PATH` is a PEM (PKCS#8) private key, which includes its public key. Every other scheme is
    passed to securesystemslib as it is (`hsm:`, `awskms:`, `gcpkms:`, `azurekms:`, `hv:` …) and needs
    the public key.
    """
    scheme, _, rest = uri.partition(":")
    if scheme == "file":
        return _read_file(Path(rest))
    if public is None:
        raise SignerError(
            f"the public key of {uri} is missing",
            why="a key service or token signs, but does not report which key to expect",
            next="name the PEM file of its public key with --public-key",
        )
    try:
        return Signer.from_priv_key_uri(uri, public)
    except UnsupportedLibraryError as error:
        raise SignerError(
            f"no library for keys of the kind '{scheme}:'",
            why=str(error),
            next="install the matching extra of securesystemslib",
        ) from error
    except Exception as error:  # every key service raises its own errors
        raise SignerError(f"the key {scheme}:… cannot be opened", why=str(error)) from error


def _read_file(path: Path) -> Signer:
    try:
        private = load_pem_private_key(path.read_bytes(), None)
        return CryptoSigner(private, SSlibKey.from_crypto(private.public_key()))
    except OSError as error:
        raise SignerError(f"the key file {path} cannot be read", why=str(error)) from error
    except (ValueError, TypeError) as error:
        raise SignerError(
            f"{path} is not a usable private key",
            why=str(error),
            next="use an unencrypted PKCS#8 PEM file (mode 600), or a token or key service by its URI",
        ) from error
