"""Server and account: from an option or variables; the token is never an argument.

An argument would be visible in the process list; the two variables can be bound by `withCredentials`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from autoclave.errors import HostError

USER = "AUTOCLAVE_JENKINS_USER"
TOKEN = "AUTOCLAVE_JENKINS_TOKEN"  # noqa: S105 -- the name of a variable
URL = "JENKINS_URL"


class Account(Struct, frozen=True):
    """A user and the user's API token."""

    user: str
    token: str

    def __repr__(self) -> str:
        """Never show the token, not even in a traceback."""
        return f"Account(user={self.user!r})"


class Server(Struct, frozen=True, kw_only=True):
    """A Jenkins server and an account on it; the address ends with a slash."""

    url: str
    account: Account


def server(url: str, environ: Mapping[str, str]) -> Server:
    """Return the server. Raises HostError when it or the account is missing."""
    found = (url or environ.get(URL, "")).strip()
    if not found:
        raise HostError(
            "no Jenkins server is named",
            why=f"there is no --jenkins-url, and {URL} is not set",
            next="name it, e.g. --jenkins-url https://jenkins.example.com",
        )
    return Server(url=_address(found), account=account(environ))


def account(environ: Mapping[str, str]) -> Account:
    """Return the account of the variables. Raises HostError when a part is missing or invalid."""
    user, token = environ.get(USER, "").strip(), environ.get(TOKEN, "").strip()
    missing = [name for name, value in ((USER, user), (TOKEN, token)) if not value]
    if missing:
        raise HostError(
            "there is no Jenkins account",
            why=" and ".join(missing) + (" is not set" if len(missing) == 1 else " are not set"),
            next=f"set {USER} to a user and {TOKEN} to an API token of that user (its page, Security)",
        )
    if not user.isprintable() or ":" in user:
        raise HostError(f"the value of {USER} is not a user name", next="set it to the user's id alone")
    # Refused here: a later error would quote it.
    if not re.fullmatch(r"[!-~]+", token):
        raise HostError(
            f"the value of {TOKEN} is not a token",
            why="it has blanks, line breaks or letters that no token has",
            next="set it to the token alone",
        )
    return Account(user, token)


def _address(text: str) -> str:
    """Return the address with one slash at its end. Raises HostError; never quotes a password inside it."""
    wrong = HostError(
        "that is not the address of a Jenkins server",
        why="it must be http(s)://HOST[:PORT][/PATH], without user, password, query and fragment",
        next="name it with --jenkins-url, e.g. https://jenkins.example.com",
    )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise wrong from None
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or port == 0 or parts.username is not None:
        raise wrong
    if parts.query or parts.fragment or not re.fullmatch(r"[!-~]+", text) or "\\" in text:
        raise wrong
    return text.rstrip("/") + "/"
