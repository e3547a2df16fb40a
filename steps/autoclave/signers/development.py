"""Development keys: made at first use, so that a laptop needs no setup; refused by production."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from securesystemslib.signer import CryptoSigner

from autoclave.errors import SignerError
from autoclave.signers import open_signer
from autoclave.signers.key_pair import write_new

STEPS = "development-steps"
RELEASE = "development-release"
NAMES = (STEPS, RELEASE)

_NOTE = b"Autoclave development key: made on first use, never trusted in production.\n"


def folder() -> Path:
    """Return the folder of this user's development keys."""
    named = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    if not named.is_absolute():  # the XDG specification: a relative path does not count
        try:
            named = Path.home() / ".config"
        except RuntimeError:  # neither HOME nor an entry of this user
            named = Path("/nonexistent")
    return named / "autoclave" / "keys"


def ensure(name: str) -> tuple[Path, Path]:
    """Return the private and public key file of a development key, making a P-256 pair when it is missing.

    Raises SignerError when the private file is readable by others, or no file can be written.
    """
    try:
        return _ensure(name)
    except OSError as error:
        raise SignerError(
            f"the development keys in {folder()} cannot be used",
            why=f"{error.strerror or error}: {error.filename or folder()}",
            next="set HOME or XDG_CONFIG_HOME to a folder that can be written, or name keys (--key, --trust)",
        ) from error


def _ensure(name: str) -> tuple[Path, Path]:
    private, public = folder() / f"{name}.pem", folder() / f"{name}.pub"
    if not private.exists():
        private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_once(private, _NOTE + CryptoSigner.generate_ecdsa().private_bytes, 0o600)
    if private.stat().st_mode & 0o077:
        raise SignerError(
            f"the key file {private} is open to others",
            why="its mode must be 600",
            next=f"chmod 600 {private}",
        )
    if not public.exists():
        key = open_signer(f"file:{private}", None).public_key
        _write_once(public, _NOTE + key.keyval["public"].encode(), 0o644)
    return private, public


def _write_once(path: Path, content: bytes, mode: int) -> None:
    """Write a file at once or not at all; the first of several writers wins."""
    with contextlib.suppress(FileExistsError):
        write_new(path, content, mode)
