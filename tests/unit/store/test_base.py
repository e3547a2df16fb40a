"""A store is a registry or a folder, and never a folder that was meant to be a registry."""

from __future__ import annotations

import pytest

from autoclave.errors import UsageError
from autoclave.store.base import is_address


@pytest.mark.parametrize("store", ["oci://registry.example/a", "oci+http://127.0.0.1:5000/a"])
def test_the_address_of_a_registry(store: str) -> None:
    assert is_address(store)


@pytest.mark.parametrize(
    "store",
    [
        "",
        "store",
        "a/b",
        "my.store",
        ".store/x",
        "./registry.example/team/app",
        "../registry.example/a",
        "/srv/registry.example/a",
        "/srv/a:b",
        "./a:b",
    ],
)
def test_a_folder(store: str) -> None:
    assert not is_address(store)


@pytest.mark.parametrize(
    ("store", "instead"),
    [
        ("https://registry.example/team/app", "oci://registry.example/team/app"),
        ("http://registry.example/team/app", "oci://registry.example/team/app"),
        ("docker://registry.example/team/app", "oci://registry.example/team/app"),
        ("OCI://registry.example/team/app", "oci://registry.example/team/app"),
        ("oci:/registry.example/app", "oci://registry.example/app"),
        ("oci:registry.example/app", "oci://registry.example/app"),
        ("registry.example/team/app", "oci://registry.example/team/app"),
        ("registry:5000/app", "oci://registry:5000/app"),
        ("registry:5000", "oci://registry:5000"),
        ("acme/app:1.0", "oci://acme/app:1.0"),
        ("acme/app@sha256:0", "oci://acme/app@sha256:0"),
        ("localhost/app", "oci://localhost/app"),
        ("[::1]:5000/app", "oci://[::1]:5000/app"),
        ("file:///srv/store", "oci://srv/store"),
        (" oci://registry.example/app", "oci://"),
    ],
)
def test_another_spelling_of_a_registry_is_not_a_folder(store: str, instead: str) -> None:
    with pytest.raises(UsageError, match="neither the address of a registry nor a folder") as caught:
        is_address(store)
    assert f"--store {instead}" in caught.value.next


def test_a_password_in_it_is_not_printed() -> None:
    with pytest.raises(UsageError) as caught:
        is_address("https://ci:s3cret@registry.example/app")
    assert "s3cret" not in f"{caught.value.what}{caught.value.why}{caught.value.next}"
    with pytest.raises(UsageError) as caught:
        is_address("ci:s3cret@registry.example/app")
    assert "s3cret" not in f"{caught.value.what}{caught.value.why}{caught.value.next}"


@pytest.mark.parametrize("store", ["store\n", "a\tb", "\x1b[2J", "oci\u202e"])
def test_a_name_that_cannot_be_printed_is_refused(store: str) -> None:
    with pytest.raises(UsageError, match="cannot be a store"):
        is_address(store)
