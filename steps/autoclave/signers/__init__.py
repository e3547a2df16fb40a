"""Signers by URI: file, PKCS#11, AWS, GCP, Azure, Vault (whatever securesystemslib opens)."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import CryptoSigner, Key, Signer

from autoclave.errors import AutoclaveError, SignerError
from autoclave.signers import keys, passphrase
from autoclave.signers.service import ServiceSigner

__all__ = ["Signer", "ask_early", "open_signer"]

_LONGEST = 20  # what is longer may be the key itself, and is not printed
_SCHEMES = ("hsm", "awskms", "gcpkms", "azurekms", "hv", "tkey")
_PASSPHRASE = re.compile(r"[?&]passphrase-from=([^?&]*)\Z")


def open_signer(uri: str, public: Key | None) -> Signer:
    """Open a signer by URI. Raises SignerError.

    `file:PATH` is a PEM (PKCS#8) private key, which includes its public key. Every other scheme is passed to
    securesystemslib as it is (`hsm:`, `awskms:`, `gcpkms:`, `azurekms:`, `hv:` …) and needs the public key.
    Its own `file2:` is no way around the checks of a key file. `?passphrase-from=VARIABLE` at the end names
    where the passphrase of an encrypted file or the PIN of a token is; else it is asked for at the terminal.
    """
    named = _PASSPHRASE.search(uri)
    uri, variable = (uri[: named.start()], named[1]) if named else (uri, None)
    scheme, _, rest = uri.partition(":")
    if variable == "":
        raise SignerError(
            "passphrase-from= names no variable", next="write it as file:PATH?passphrase-from=VARIABLE"
        )
    if scheme == "file":
        return _read_file(Path(rest), variable)
    if scheme not in _SCHEMES:
        raise SignerError(
            f"'{scheme}:' is no kind of key"
            if scheme.isalnum() and len(scheme) < _LONGEST
            else "the key has no URI",
            why=f"a key is named by a URI: file:PATH, {', '.join(f'{each}:…' for each in _SCHEMES)}",
            next="name the key in one of these ways, as in file:/secure/steps.pem",
        )
    return _open_service(uri, public, variable or "")


def _open_service(uri: str, public: Key | None, variable: str) -> Signer:
    """Open a key of a token or a key service. Raises SignerError."""
    scheme = uri.partition(":")[0]
    if public is None:
        raise SignerError(
            f"the public key of {uri} is missing",
            why="a key service or token signs, but does not report which key to expect",
            next="name the PEM file of its public key with --public-key",
        )
    try:
        return ServiceSigner.from_priv_key_uri(
            uri, public, lambda kind: passphrase.read(f"the {kind} of {uri}", variable).decode()
        )
    except AutoclaveError:
        raise
    except UnsupportedLibraryError as error:
        raise SignerError(
            f"no library for keys of the kind '{scheme}:'",
            why=str(error),
            next="install the matching extra of securesystemslib: 'autoclave key kinds' prints it",
        ) from error
    except Exception as error:  # every key service raises its own errors
        raise SignerError(
            f"the key {scheme}:… cannot be opened",
            why=str(error),
            next="compare its URI with what securesystemslib documents for this kind of key",
        ) from error


def ask_early(uri: str) -> None:
    """Ask at the terminal now for what will open a key later, in the middle of other output.

    Nothing happens for a key that needs nothing, or whose variable is named. Raises SignerError.
    """
    scheme, _, rest = uri.partition(":")
    if _PASSPHRASE.search(uri):
        return
    if scheme == "file" and b"ENCRYPTED" in _read_private(Path(rest)):
        passphrase.read(f"the passphrase of {Path(rest)}", "")
    elif scheme == "hsm":
        passphrase.read(f"the pin of {uri}", "")


def _read_file(path: Path, variable: str | None) -> Signer:
    """Read a private key's file, which nobody but its owner can read. Raises SignerError."""
    pem = _read_private(path)
    if pem.count(b"PRIVATE KEY-----") > 2:
        raise SignerError(
            f"{path} has several private keys",
            why="it must be certain which one signs",
            next="leave one in it",
        )
    secret = _find_passphrase(pem, path, variable)
    try:
        private = load_pem_private_key(pem, secret)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if secret is not None:
            raise SignerError(
                f"{path} cannot be opened with that passphrase",
                why="it is another key's passphrase, mistyped, or the file is damaged",
                next="repeat it; a passphrase that is lost cannot be found again: make a new key",
            ) from error
        raise SignerError(
            f"{path} is not a usable private key",
            why=str(error),
            next="make one with 'autoclave key new', or name a token or key service by its URI",
        ) from error
    return CryptoSigner(private, keys.accept(private.public_key(), f"the key of {path}"))


def _find_passphrase(pem: bytes, path: Path, variable: str | None) -> bytes | None:
    """Return the passphrase of an encrypted key; None for one that is not. Raises SignerError."""
    if b"ENCRYPTED" not in pem:
        if variable is not None:
            raise SignerError(
                f"{path} is not encrypted, so it needs no passphrase",
                why="?passphrase-from= is written after its name: it may not be the file that is meant",
                next="leave that out, or name the encrypted file",
            )
        return None
    return passphrase.read(f"the passphrase of {path}", variable or "")


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
