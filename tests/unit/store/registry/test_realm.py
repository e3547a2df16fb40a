"""Which token server gets a registry's credentials, and which one does not."""

from __future__ import annotations

import pytest

from autoclave.store.registry.address import parse
from autoclave.store.registry.realm import named_hosts, refusal

HONEST = [
    ("oci://registry.example.com:5050/a", "https://registry.example.com/token"),
    ("oci://docker.io/acme/app", "https://auth.docker.io/token"),
    ("oci://registry.gitlab.com/acme/app", "https://gitlab.com/jwt/auth"),
    ("oci://registry.gitlab.example.com:5050/a", "https://gitlab.example.com/jwt/auth"),
    ("oci://example.com/a", "https://auth.example.com/token"),
    ("oci://quay.io/acme/app", "https://quay.io/v2/auth"),
    ("oci://ghcr.io/acme/app", "https://ghcr.io/token"),
    ("oci://registry.digitalocean.com/acme/app", "https://api.digitalocean.com/v2/registry/auth"),
    ("oci://us.icr.io/acme/app", "https://icr.io/oauth/token"),
    ("oci://localhost:5000/a", "http://127.0.0.1:5001/token"),
    ("oci://127.0.0.1:5000/a", "http://127.0.0.1:5001/token"),
    ("oci+http://registry.example.com/a", "http://registry.example.com/token"),
]

THIEVES = [
    ("oci://127.0.0.1:5000/a", "http://172.17.0.1:5001/token"),
    ("oci://127.0.0.1:5000/a", "http://127.0.0.1.evil.example/token"),
    ("oci://127.0.0.1:5000/a", "https://evil.example/token"),
    ("oci://registry.example.com/a", "http://registry.example.com/token"),
    ("oci://registry.example.com/a", "http://127.0.0.1/token"),
    ("oci://registry.example.com/a", "https://127.0.0.1/token"),
    ("oci://registry.example.com/a", "https://registry.example.com.evil.example/token"),
    ("oci://registry.example.com/a", "https://evil-registry.example.com/token"),
    ("oci://registry.example.com/a", "https://com/token"),
    ("oci://registry.example.com/a", "https://user@registry.example.com/token"),
    ("oci://registry.example.com/a", "https://evil.example\\@registry.example.com/token"),
    ("oci://registry.example.com/a", "https://registry.example.com\n.evil.example/token"),
    ("oci://registry.example.com/a", "//registry.example.com/token"),
    ("oci://registry.example.com/a", "/token"),
    ("oci://registry.example.com/a", "ftp://registry.example.com/token"),
    ("oci://registry.example.com/a", ""),
    ("oci://registry.example.com/a", "https://registry.example.com#@evil.example/token"),
    ("oci://registry.example.com/a", "https://registry.example.com./token"),
    ("oci://registry.example.com/a", "https://registry.example.com%2eevil.example/token"),
    ("oci://registry.example.com/a", "https://registry.example.com;evil.example/token"),
    ("oci://127.0.0.1:5000/a", "http://0.0.0.0:5000/token"),
    ("oci://a.github.io/x", "https://b.github.io/token"),
    ("oci+http://registry.example.com/a", "http://auth.example.com/token"),
    ("oci+http://registry.example.com/a", "http://127.0.0.1/token"),
    ("oci://10.0.0.1/a", "https://0.0.1/token"),
    ("oci://registry.gitlab.com/a", "https://gitlab.com.evil.example/jwt/auth"),
]


@pytest.mark.parametrize(("address", "realm"), HONEST)
def test_a_registrys_own_token_server_gets_its_credentials(address: str, realm: str) -> None:
    assert refusal(parse(address), realm, ()) == ""


@pytest.mark.parametrize(("address", "realm"), THIEVES)
def test_a_token_server_elsewhere_gets_no_credentials(address: str, realm: str) -> None:
    assert refusal(parse(address), realm, ())


def test_an_organisation_names_its_own_token_server() -> None:
    address, realm = parse("oci://registry.example.com/a"), "https://login.example.org/token"
    named = named_hosts(address, {"AUTOCLAVE_REGISTRY_REALMS": "other.example, Login.Example.org,"})
    assert named == {"other.example", "login.example.org"}
    assert refusal(address, realm, named) == ""
    assert "on another host" in refusal(address, realm, named_hosts(address, {}))
    assert refusal(address, realm.replace("https", "http"), named), "never unencrypted"


def test_in_a_job_gitlab_is_the_token_server_of_its_own_registry_alone() -> None:
    job = {"CI_REGISTRY": "registry.example.com:5050", "CI_SERVER_HOST": "git.example.com"}
    assert named_hosts(parse("oci://registry.example.com:5050/a"), job) == {"git.example.com"}
    assert named_hosts(parse("oci://registry.example.com/a"), job) == frozenset()
    assert (
        named_hosts(parse("oci://registry.example.com/a"), {"CI_SERVER_HOST": "x", "CI_REGISTRY": ""})
        == frozenset()
    )


def test_without_credentials_any_encrypted_token_server_will_do() -> None:
    address = parse("oci://mirror.example.com/library/debian")
    assert refusal(address, "https://auth.docker.io/token", (), anonymous=True) == ""
    assert refusal(address, "http://169.254.169.254/token", (), anonymous=True)
