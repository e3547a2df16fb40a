"""Signers by URI: file, PKCS#11, AWS, GCP, Azure, Vault (whatever securesystemslib opens)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import CryptoSigner, Key, Signer

from autoclave.errors import SignerError
from autoclave.signers import keys

__all__ = ["Signer", "open_signer"]

_LONGEST = 20  # what is longer may be the key itself, and is not printed
_SCHEMES = ("hsm", "awskms", "gcpkms", "azurekms", "hv", "tkey")


def open_signer(uri: str, public: Key | None) -> Signer:
    """Open a signer by URI. Raises SignerError.

    `file:PATH` is a PEM (PKCS#8) private key, which includes its public key. Every other scheme is
    passed to securesystemslib as it is (`hsm:`, `awskms:`, `gcpkms:`, `azurekms:`, `hv:` …) and needs
    the public key. Its own `file2:` is no way around the checks of a key file.
    """
    scheme, _, rest = uri.partition(":")
    if scheme == "file":
        return _read_file(Path(rest))
    if scheme not in _SCHEMES:
        raise SignerError(
            f"'{scheme}:' is no kind of key"
            if scheme.isalnum() and len(scheme) < _LONGEST
            else "the key has no URI",
            why=f"a key is named by a URI: file:PATH, {', '.join(f'{each}:…' for each in _SCHEMES)}",
            next="name the key in one of these ways, as in file:/secure/steps.pem",
        )
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
        raise SignerError(
            f"the key {scheme}:… cannot be opened",
            why=str(error),
            next="compare its URI with what securesystemslib documents for this kind of key",
        ) from error


def _read_file(path: Path) -> Signer:
    """Open a private key's file, which nobody but its owner can read. Raises SignerError."""
    pem = _read_private(path)
    if pem.count(b"PRIVATE KEY-----") > 2:
        raise SignerError(
            f"{path} has several private keys",
            why="it must be certain which one signs",
            next="leave one in it",
        )
    try:
        private = load_pem_private_key(pem, None)
        return CryptoSigner(private, keys.accept(private.public_key(), f"the key of {path}"))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SignerError(
            f"{path} is not a usable private key",
            why=str(error),
            next="use an unencrypted PKCS#8 PEM file (mode 600), or a token or key service by its URI",
        ) from error


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            # Of the file that is open: its name may come to mean another one.
            if why := _exposure(os.fstat(file.fileno()), os.geteuid()):
                raise SignerError(f"the key file {path} is open to others", why=why, next=f"chmod 600 {path}")
            return file.read(keys.LARGEST)
    except OSError as error:
        raise SignerError(f"the key file {path} cannot be read", why=str(error)) from error


def _exposure(found: os.stat_result, user: int) -> str:
    """Return why somebody else can read or change a file, or an empty string."""
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        return f"its mode is {mode:03o}, and must be 600 or 400"
    # An administrator's process also signs for the owner of a file; nobody else does.
    return f"it belongs to the user {found.st_uid}" if user and found.st_uid not in {user, 0} else ""
