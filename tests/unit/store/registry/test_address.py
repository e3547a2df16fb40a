"""Addresses of registries, names in them, and challenges: what is taken and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoclave.errors import StoreError
from autoclave.model.place import is_loopback
from autoclave.store.registry.address import (
    Address,
    check_tag,
    origin_of,
    parse,
    printable_url,
    registry_of,
)
from autoclave.store.registry.challenge import Challenge, parse_challenges


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("oci://registry.example.com/devices/app", "https://registry.example.com/v2/devices/app/x"),
        ("oci://Registry.Example.com:5050/a", "https://registry.example.com:5050/v2/a/x"),
        ("oci://localhost:5000/a/b-c_d__e.f", "http://localhost:5000/v2/a/b-c_d__e.f/x"),
        ("oci://127.0.0.1/a", "http://127.0.0.1/v2/a/x"),
        ("oci://[::1]:5000/a", "http://[::1]:5000/v2/a/x"),
        ("oci://[fd00::1]:5000/a", "https://[fd00::1]:5000/v2/a/x"),
        ("oci://127.0.0.2/a", "https://127.0.0.2/v2/a/x"),
        ("oci://localhost.example.com/a", "https://localhost.example.com/v2/a/x"),
        ("oci+http://registry.example.com/a", "http://registry.example.com/v2/a/x"),
        ("oci://docker.io/library/debian", "https://registry-1.docker.io/v2/library/debian/x"),
    ],
)
def test_valid_addresses_are_accepted(text: str, url: str) -> None:
    address = parse(text)
    assert address.url("x") == url
    assert parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "registry.example.com/a",
        "https://registry.example.com/a",
        "oci:registry.example.com/a",
        "oci://",
        "oci:///a",
        "oci://host",
        "oci://host/",
        "oci://host//a",
        "oci://host/a/",
        "oci://host/../a",
        "oci://host/a/../../b",
        "oci://host/a/./b",
        "oci://host/%2e%2e/a",
        "oci://host/a?b",
        "oci://host/a#b",
        "oci://host/a:1.0",
        "oci://host/a@sha256:" + "0" * 64,
        "oci://host/App",
        "oci://host/a b",
        "oci://host/a\n",
        "oci://host\n/a",
        "oci://ho st/a",
        "oci://host:/a",
        "oci://host:0/a",
        "oci://host:65536/a",
        "oci://host:1:2/a",
        "oci://-host/a",
        "oci://a..b/a",
        "oci://[::1/a",
        "oci://[1.2.3.4]/a",
        "oci://host/a___b",
        "oci://host/" + "a" * 300,
        "oci+https://host/a",
        "OCI://host/a",
    ],
)
def test_invalid_addresses_are_refused(text: str) -> None:
    with pytest.raises(StoreError, match="is not the address of a registry") as caught:
        parse(text)
    assert caught.value.why
    assert "oci://registry.example.com/" in caught.value.next


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(StoreError, match="user or password") as caught:
        parse("oci://ci:s3cret-word@registry.example.com/a")
    assert "s3cret-word" not in f"{caught.value.what}{caught.value.why}{caught.value.next}"


@given(st.text(max_size=40))
def test_no_text_makes_a_url_that_leaves_the_repository(text: str) -> None:
    try:
        address = parse(f"oci://host.example.com/{text}")
    except StoreError:
        return
    assert address.url("x") == f"https://host.example.com/v2/{text}/x"
    assert not {"..", ".", ""} & set(text.split("/"))


@pytest.mark.parametrize("name", ["a", "_", "1.4.0", "sha256-" + "0" * 64 + ".sig", "A" * 128])
def test_valid_tags_are_accepted(name: str) -> None:
    assert check_tag(name) == name


@pytest.mark.parametrize(
    "name", ["", ".a", "-a", "a/b", "a:b", "../a", "a b", "a\n", "1.0+meta", "ä", "A" * 129]
)
def test_invalid_tags_are_refused(name: str) -> None:
    with pytest.raises(StoreError, match="cannot be a tag"):
        check_tag(name)


def test_origins_are_compared_and_urls_shown_without_secrets() -> None:
    assert origin_of("https://h/a") == origin_of("https://H:443/b") == ("https", "h", 443)
    assert origin_of("http://h/a") != origin_of("https://h/a")
    for odd in (
        "http://[",
        "https://x\\@h/a",
        "https://u@h/a",
        "https://h\t.x/a",
        "https://h:0x1/a",
        "//h/a",
    ):
        assert origin_of(odd) == ("", "", 0)
    assert origin_of("https://h:0/a") != origin_of("https://h/a")
    assert Address("https", "h:5000", "a").origin == ("https", "h", 5000)
    assert printable_url("https://u:p@h:1/a?signature=s#f") == "https://h:1/a"
    assert [is_loopback(host) for host in ("127.9.9.9", "[::1]", "::1", "localhost", "10.0.0.1", "h")] == [
        *[True] * 4,
        *[False] * 2,
    ]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", []),
        ('Basic realm="Registry Realm"', [Challenge("basic", {"realm": "Registry Realm"})]),
        ("Basic", [Challenge("basic", {})]),
        (
            'Bearer realm="https://auth.example.com/token",service="r, example",scope="repository:a:pull"',
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://auth.example.com/token",
                        "service": "r, example",
                        "scope": "repository:a:pull",
                    },
                )
            ],
        ),
        (
            'BEARER Realm = "x" , service=plain, Basic realm="a \\"quoted\\" word"',
            [
                Challenge("bearer", {"realm": "x", "service": "plain"}),
                Challenge("basic", {"realm": 'a "quoted" word'}),
            ],
        ),
        ('Bearer realm="unclosed', [Challenge("bearer", {})]),
    ],
)
def test_challenges_are_parsed(header: str, found: list[Challenge]) -> None:
    assert parse_challenges(header)[: len(found) or None] == found


@given(st.text(max_size=60))
def test_any_challenge_is_read_to_an_end(header: str) -> None:
    assert isinstance(parse_challenges(header), list)


def test_the_registry_of_an_image_s_full_name() -> None:
    assert registry_of("registry.example/a/b:main") == "registry.example"
    assert registry_of("127.0.0.1:5000/cache:1") == "127.0.0.1:5000"


@pytest.mark.parametrize(
    "name", ["", "cache:1", "a/b:1", "r.example/b", "r.example/B:1", "r.example/b:1 --x", "-r.x/b:1"]
)
def test_other_names_of_images_are_refused(name: str) -> None:
    with pytest.raises(StoreError, match="full name of an image"):
        registry_of(name)
