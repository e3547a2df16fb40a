"""Which token server may get a registry's credentials: never whichever one the registry's answer names.

Source: distribution, docs/spec/auth/token.md (the realm); GitLab, container registry authentication
(`/jwt/auth` of the GitLab server itself).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from autoclave.model.place import is_loopback
from autoclave.store.registry.address import Address, origin_of, printable_url

VARIABLE = "AUTOCLAVE_REGISTRY_REALMS"
"""Host names, separated by commas, of token servers that the organisation names itself."""

# Registries whose token server has another name, and neither name ends with the other one.
_KNOWN = {
    "registry-1.docker.io": "auth.docker.io",
    "registry.digitalocean.com": "api.digitalocean.com",
}


def named_hosts(address: Address, environ: Mapping[str, str]) -> frozenset[str]:
    """Return the token servers that the environment names for a registry.

    In a job of GitLab, its own server is the one of its own registry.
    """
    named = {each.strip().lower() for each in environ.get(VARIABLE, "").split(",")}
    if re.sub(r"^https?://", "", environ.get("CI_REGISTRY", "")).rstrip("/").lower() == address.host:
        named.add(environ.get("CI_SERVER_HOST", "").lower())
    return frozenset(named - {""})


def refusal(address: Address, realm: str, named: Collection[str], *, anonymous: bool = False) -> str:
    """Return why a realm does not get the registry's credentials, or an empty string.

    It gets them on the registry's own host, on one of the two names of which one is the other's domain, where
    it is known or `named` (lower case); always over TLS, or on this machine. Without credentials
    (`anonymous`) nothing can be stolen, so any encrypted address will do.
    """
    scheme, host, _ = origin_of(realm)
    own_scheme, own, _ = address.origin
    shown = printable_url(realm)[:200]
    if not host:
        return f"{printable_url(realm)[:200]!r} is not the address of a token server"
    if scheme == "http":
        if own_scheme == "http" and (host == own or (is_loopback(host) and is_loopback(own))):
            return ""
        return f"{shown} is not an https address: the credentials would be sent unencrypted"
    if anonymous or host == own or host == _KNOWN.get(own) or host in named or _is_one_domain(host, own):
        return ""
    return f"{shown} is on another host than the registry, and would get the registry's credentials"


def _is_one_domain(one: str, other: str) -> bool:
    """Return whether one name is in the other's domain: `registry.gitlab.com` and `gitlab.com`."""
    short, long = sorted((one, other), key=len)
    is_name = "." in short and re.search(r"[a-z]", short.rpartition(".")[2]) is not None
    return is_name and long.endswith(f".{short}")
