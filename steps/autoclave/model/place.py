"""Places: where releases run, as one line of text, and the patterns by which an organisation names them.

A place is what a deployment really reaches, never a name that a repository gives it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from msgspec import Struct

LOCAL = "local"
"""The pattern of every place on this machine."""

_WORDS = re.compile(r"[a-z][a-z0-9-]*( [!-~]+){1,2}")
_STAR = "[A-Za-z0-9._-]*"
"""What `*` matches: part of a name, never a `/`, a `:` or an `@`."""
_UNSAFE = re.compile(r"""[^!-~]|["<>\\^`{|}]""")
_FILES = ("unix:///", "npipe:////./", "file:///")
_HOST = re.compile(
    r"(?:(?:tcp|https?)://)?(?P<host>[A-Za-z0-9.]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._/-]*)?"
)


class Place(Struct, frozen=True):
    """What a deployment reaches: `engine tcp://lab-1:2376`, `cluster https://lab:6443 NAMESPACE`.

    `kind` is a word of the target's (`engine`, `cluster`, `registry`). Records and patterns have its text.
    """

    kind: str
    address: str
    namespace: str = ""

    def __str__(self) -> str:
        return " ".join(each for each in (self.kind, self.address, self.namespace) if each)

    @property
    def is_local(self) -> bool:
        """Whether the address is one of this machine by what it says: a socket, or a literal loopback.

        A name that resolves to a loopback address is not: who answers for it is decided elsewhere. Neither
        is ssh to this machine: the user's ssh configuration can send it anywhere.
        """
        if self.address.startswith(_FILES):
            return True
        found = _HOST.fullmatch(self.address)
        return found is not None and is_loopback(found["host"])


class Destination(Struct, frozen=True, kw_only=True):
    """Where a release is to run: the environment, its place, and whether that is production, and why.

    `place` is a place's text, empty when the target names none.
    """

    environment: str
    place: str
    production: bool
    why: str

    def __str__(self) -> str:
        kind = "production" if self.production else "not production"
        return f"{self.environment}: {kind}, because {self.why}"


def parse(text: str) -> Place:
    """Return the place of a text that `str(Place)` made. Raises ValueError."""
    if not _WORDS.fullmatch(text):
        raise ValueError(f"'{text}' is not a place")
    return Place(*text.split(" "))


def normalise(url: str) -> str:
    """Return an address as places have it: scheme and host in lower case, no password, no `/` at its end.

    What could be mistaken for another word, or steer a terminal, is encoded.
    """
    # Not urlsplit: it drops line ends and whatever follows a '#', and others may read on.
    scheme, separator, rest = url.partition("://")
    host, _, path = rest.partition("/")
    user, _, host = host.rpartition("@")
    if user and scheme.lower() == "ssh":
        host = f"{user.partition(':')[0]}@{host}"
    path = f"/{path}".rstrip("/") if host else f"/{path}"
    return _UNSAFE.sub(_encode, f"{scheme.lower()}{separator}{host.lower()}{path if separator else ''}")


def find_match(place: str, patterns: Iterable[str]) -> str:
    """Return the first pattern, in order of text, that a place matches from end to end; empty without one.

    `*` stands for part of a name. A place that is not known matches nothing.
    """
    return next((each for each in sorted(patterns) if _is_match(place, each)), "")


def is_loopback(host: str) -> bool:
    """Return whether a host, without port, is this machine by what it says: `localhost`, or an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def explain_pattern(pattern: str) -> str:
    """Return why a pattern can match no place; empty when it can."""
    if pattern == LOCAL:
        return ""
    if not _WORDS.fullmatch(pattern):
        return "a place is a kind, an address and, in a cluster, a namespace: a name alone is none"
    if pattern.startswith("cluster ") and pattern.count(" ") != 2:
        return "a place in a cluster has a namespace: write it behind the address ('*' for all)"
    return ""


def _encode(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))


def _is_match(place: str, pattern: str) -> bool:
    if not _WORDS.fullmatch(place):
        return False
    if pattern == LOCAL:
        return parse(place).is_local
    return bool(re.fullmatch(re.escape(pattern).replace(r"\*", _STAR), place))
