"""Who or what runs the steps: a job of a CI host, or a user on a machine."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit


def identify_runner(variables: Mapping[str, str]) -> str:
    """Return who or what runs the steps: the page of the host's job and who started it, or `user@machine`.

    Of the variables only these two hosts' own are read, and of an address nothing that could hold a secret.
    """
    for name, user in (("CI_JOB_URL", "GITLAB_USER_LOGIN"), ("BUILD_URL", "BUILD_USER_ID")):
        if page := _page(variables.get(name, "")):
            started = _word(variables.get(user, ""))
            return f"{page} for {started}" if started else page
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a number that no password file knows
        user = str(os.getuid())
    return f"{_word(user)}@{socket.gethostname()}"


def _page(address: str) -> str:
    """Return a web address without its user, password, query and fragment; empty when it is none."""
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return ""
    return _word(f"{parts.scheme}://{parts.hostname}{port}{parts.path}")


def _word(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:500]
