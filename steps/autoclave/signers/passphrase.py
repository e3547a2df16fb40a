"""A passphrase, out of a variable that is named or from a terminal: never out of an argument."""

from __future__ import annotations

import getpass
import os
import re
import sys
from functools import cache

from autoclave.errors import SignerError

LEAST = 12
"""Fewest signs of a new passphrase."""

_LONGEST = 1024
_ENDINGS = ("PASSPHRASE", "_PIN")  # variables that no build and no test is given, whoever asks for them
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@cache
def read(what: str, variable: str) -> bytes:
    """Return a passphrase or PIN: from the variable, else from the terminal. Raises SignerError.

    `what` says which one, as "the passphrase of ada.pem". A process asks for each once.
    """
    return (_from_variable(variable) if variable else _from_terminal(f"{what}: ")).encode()


def choose(what: str, variable: str) -> bytes:
    """Return a new passphrase; at a terminal it is typed twice. Raises SignerError for a short one."""
    if variable:
        text = _from_variable(variable)
    else:
        text = _from_terminal(f"a new passphrase of {what} ({LEAST} signs or more): ")
        if len(text) >= LEAST and text != _from_terminal("the same again: "):
            raise SignerError("the two passphrases differ", next="repeat the command; nothing was written")
    if len(text) < LEAST:
        raise SignerError(
            f"the passphrase has {len(text)} signs",
            why=f"at least {LEAST} are required: whoever copies the file can try billions of short ones",
            next="use several words",
        )
    return text.encode()


def _from_variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise SignerError(
            "what passphrase-from names is not a variable",
            why="a name has letters, digits and _; the passphrase itself is no argument: others see those",
            next="put it into a variable of the environment, and give the variable's name",
        )
    if not name.upper().endswith(_ENDINGS):
        raise SignerError(
            f"the variable {name} must end in {' or '.join(_ENDINGS)}",
            why="by its ending it is known to open a key, so that no build and no test is given it",
            next=f"call it {name}_PASSPHRASE",
        )
    text = os.environ.get(name, "")
    if not text or len(text) > _LONGEST or not text.isprintable():
        state = (
            "is not set"
            if name not in os.environ
            else "is empty"
            if not text
            else f"has more than {_LONGEST} signs"
            if len(text) > _LONGEST
            else "has a line end or another sign that is not printed"
        )
        raise SignerError(
            f"no passphrase can be read from the variable {name}",
            why=f"it {state}",
            next=f"set and export {name} to the passphrase, without a line end",
        )
    return text


def _from_terminal(prompt: str) -> str:
    if not sys.stdin.isatty():
        raise SignerError(
            "there is no terminal to enter a passphrase at",
            why="the key is protected, and no variable is named that has its passphrase or PIN",
            next="name the variable: file:PATH?passphrase-from=VARIABLE (new: --passphrase-from VARIABLE)",
        )
    try:
        text = getpass.getpass(prompt)
    except EOFError:
        text = ""
    if len(text) > _LONGEST or not text.isprintable():
        raise SignerError("that is not a passphrase", why="it is too long, or has signs that are not printed")
    return text
