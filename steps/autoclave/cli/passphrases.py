"""Passphrases, asked for before a command prints anything else."""

from __future__ import annotations

from typing import Any

from autoclave.signers import ask_early


def ask_for_keys(options: Any, *, releases: bool = True) -> None:
    """Ask for the passphrases of the keys that the options name, before anything else is printed.

    The release key's only if something is released.
    """
    ask_early(options.key)
    if releases and hasattr(options, "release_signer"):
        ask_early(options.release_signer.release_key)
