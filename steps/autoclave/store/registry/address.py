"""The address of a registry's repository, `oci://HOST[:PORT]/REPOSITORY`, and which tags it can have.

Source: OCI distribution specification 1.1 (pulling manifests: the grammar of names and tags).
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from msgspec import Struct

from autoclave.errors import StoreError

_ADDRESS = re.compile(r"(?P<scheme>oci|oci\+http)://(?P<host>[^/]*)/(?P<repository>.*)", re.DOTALL)
_HOST = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_PLAIN = {"127.0.0.1", "localhost", "[::1]"}
_LONGEST = 255  # host and repository together, as many clients require
# Nothing that two readers of URLs could read differently: no user, backslash, fragment or control character.
_URL = re.compile(r"https?://[A-Za-z0-9.\[\]:_-]+(?:[/?][!\"$-\[\]-~]*)?")
_PORTS = {"https": 443, "http": 80}

Origin = tuple[str, str, int]
"""Scheme, host and port of a URL: the credentials for one are never sent to another."""


class Address(Struct, frozen=True):
    """One repository of a registry. `host` has the port when it is not the scheme's own."""

    scheme: str
    host: str
    repository: str

    def __str__(self) -> str:
        scheme = "oci+http" if self.scheme == "http" and not _is_plain(self.host) else "oci"
        return f"{scheme}://{self.host}/{self.repository}"

    @property
    def origin(self) -> Origin:
        """Scheme, host and port of the registry."""
        return origin_of(self.url(""))

    def url(self, path: str) -> str:
        """Return the URL of something in the repository."""
        # Docker Hub's name is not the name of its registry.
        host = "registry-1.docker.io" if self.host == "docker.io" else self.host
        return f"{self.scheme}://{host}/v2/{self.repository}/{path}"


def parse(text: str) -> Address:
    """Parse an address; raise StoreError when it is malformed or has more than host and repository.

    The connection is encrypted, except to a registry on this machine and with `oci+http://`.
    """
    found = _ADDRESS.fullmatch(text)
    if not found:
        raise _make_error(text, "it must be oci://HOST[:PORT]/REPOSITORY")
    if "@" in found["host"]:
        # The address is not printed: before the @ there may be a password.
        raise StoreError(
            "the registry's address must not have a user or password",
            why="it would end up in logs and process lists",
            next="log in with 'docker login', or set CI_REGISTRY, CI_REGISTRY_USER and CI_REGISTRY_PASSWORD",
        )
    host = _HOST.fullmatch(found["host"])
    if (
        not host
        or ".." in host["name"]
        or not 0 < int(host["port"] or 1) < 1 << 16
        or not _is_host(host["name"])
    ):
        raise _make_error(text, f"{found['host'][:100]!r} is not a host")
    if not _REPOSITORY.fullmatch(found["repository"]) or len(text) > _LONGEST + len("oci+http://"):
        raise _make_error(
            text,
            "a repository is lower-case letters, digits and single . _ - between them, in parts separated "
            "by /, without a tag or digest",
        )
    address = found["host"].lower()
    scheme = "http" if found["scheme"] == "oci+http" or _is_plain(address) else "https"
    return Address(scheme, address, found["repository"])


def registry_of(image: str) -> str:
    """Return the host of an image's full name, `HOST[:PORT]/REPOSITORY:TAG`. Raises StoreError."""
    host, _, rest = image.partition("/")
    repository, _, tag = rest.rpartition(":")
    named = _HOST.fullmatch(host) and ("." in host or ":" in host or host == "localhost")
    if not (named and _REPOSITORY.fullmatch(repository) and _TAG.fullmatch(tag)):
        raise StoreError(
            f"{image[:200]!r} is not the full name of an image in a registry",
            why="it must be HOST[:PORT]/REPOSITORY:TAG",
            next="for example registry.example/devices/oximeter/cache:main",
        )
    return host


def check_tag(name: str) -> str:
    """Return a tag that a registry can have; raise StoreError otherwise."""
    if not _TAG.fullmatch(name):
        raise StoreError(
            f"{name[:150]!r} cannot be a tag in a registry",
            why="a tag has 1 to 128 letters, digits and . _ - and begins with a letter, a digit or _",
            next="choose a plain name such as 'pulse-oximeter-1.4.0'",
        )
    return name


def origin_of(url: str) -> Origin:
    """Return scheme, host and port of a URL; an unusable URL has an origin that matches no other."""
    if not _URL.fullmatch(url):
        return "", "", 0
    try:
        parts = urlsplit(url)
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
    except ValueError:
        return "", "", 0
    return parts.scheme, parts.hostname or "", port


def printable_url(url: str) -> str:
    """Return a URL that may be printed: without user and query, where secrets can be."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a malformed URL"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _is_host(name: str) -> bool:
    if not name.startswith("["):
        return True
    try:
        ipaddress.IPv6Address(name[1:-1])
    except ValueError:
        return False
    return True


def _is_plain(host: str) -> bool:
    return re.sub(r":\d+\Z", "", host) in _PLAIN


def _make_error(text: str, why: str) -> StoreError:
    return StoreError(
        f"{text[:200]!r} is not the address of a registry",
        why=why,
        next="write it such as oci://registry.example.com/devices/pulse-oximeter",
    )
