"""Registries and proxies that do otherwise than specified: they work, or the cause is in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave.errors import StoreError
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import LAYER, Descriptor
from autoclave.store.registry.auth import Credentials
from autoclave.store.registry.store import RegistryStore
from builders.registries import no_credentials, open_store
from builders.sample_image import write_image
from doubles.picky_registry import Habits, serve_picky, serve_proxy

TYPE = "application/vnd.example.record"


def attach(store: RegistryStore, image: Descriptor, text: bytes) -> Descriptor:
    layer = store.write([text], media_type=LAYER)
    return store.attach(image, artifact_type=TYPE, layers=[layer], annotations={})


@pytest.mark.parametrize(
    ("referrers", "last"),
    [
        *((status, 0) for status in (400, 401, 403, 405, 406, 410, 422, 501)),
        *((404, last) for last in (0, 400, 404, 405, "empty")),
    ],
)
def test_records_are_found_without_a_referrers_api_and_without_last(
    referrers: int, last: int | str, tmp_path: Path
) -> None:
    with serve_picky(Habits(referrers=referrers, last=last)) as registry:
        store = open_store(registry.address, tmp_path / "one")
        image = write_image(store, b"layer")
        made = [attach(store, image, b"first").digest, attach(store, image, b"second").digest]
        fresh = open_store(registry.address, tmp_path / "two")
        assert {each.digest for each in fresh.referrers(image.digest)} == set(made)


def test_a_registry_that_converts_manifests_is_refused(tmp_path: Path) -> None:
    with serve_picky(Habits(converts=True)) as registry:
        store = open_store(registry.address, tmp_path)
        with pytest.raises(StoreError, match="stored another manifest than was sent") as caught:
            write_image(store, b"layer")
        assert "it converts manifests" in str(caught.value.why)
        assert "byte for byte" in str(caught.value.next)


@pytest.mark.parametrize("status", [400, 409, 412])
def test_a_tag_that_may_not_move_works_for_the_same_image_and_is_named_for_another(
    status: int, tmp_path: Path
) -> None:
    with serve_picky(Habits(immutable=status)) as registry:
        store = open_store(registry.address, tmp_path)
        image = write_image(store, b"layer")
        store.tag("app", image)
        store.tag("app", image)
        other = write_image(store, b"another")
        with pytest.raises(StoreError, match="does not let the tag 'app' move") as caught:
            store.tag("app", other)
        assert f"the registry refused: {status}" in str(caught.value.why)
        assert "sha256-*" in str(caught.value.next)
        store.tag("v2", other)


def test_each_repository_is_used_with_its_own_user(tmp_path: Path) -> None:
    asked: list[str] = []

    def find(place: str) -> Credentials:
        asked.append(place)
        return Credentials(user=place.split("/")[1], password="x", source="the test")

    with serve_picky(Habits(users={"one": "one", "two": "two"})) as registry:
        for name in ("one", "two"):
            store = open_store(registry.address, tmp_path / name, find, repository=f"{name}/app")
            store.tag("app", write_image(store, b"layer"))
        assert asked == [f"{registry.address}/one/app", f"{registry.address}/two/app"]


@pytest.mark.parametrize("page", [b"<html><title>Sign\n in</title></html>", b"<!DOCTYPE html><p>welcome"])
def test_a_page_instead_of_a_list_is_no_empty_list(page: bytes, tmp_path: Path) -> None:
    with serve_picky(Habits()) as registry:
        store = open_store(registry.address, tmp_path)
        image = write_image(store, b"layer")
        registry.habits.page = page
        with pytest.raises(StoreError, match="is not a registry's answer") as caught:
            store.referrers(image.digest)
        assert "a web page" in str(caught.value.why) and "HTTPS_PROXY" in str(caught.value.next)
        if b"title" in page:
            assert "'Sign in'" in str(caught.value.why)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (407, "the proxy refused the connection: 407 Proxy Authentication Required"),
        (403, "the proxy refused the connection: 403 Forbidden"),
        (502, "the proxy refused the connection: 502 Bad Gateway"),
    ],
)
def test_a_proxy_that_opens_no_connection_is_named(
    status: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_proxy(status, b"<html><title>Blocked</title></html>") as proxy:
        user = proxy.replace("http://", "http://ada:s3cret@")
        monkeypatch.setenv("HTTPS_PROXY", user)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        store = RegistryStore(
            "oci://registry.example/app", LayoutStore(tmp_path), no_credentials, sleep=lambda _: None
        )
        with pytest.raises(StoreError, match="the registry does not answer") as caught:
            store.find("app")
    assert caught.value.why == says
    assert "HTTPS_PROXY" in str(caught.value.next) and "s3cret" not in str(vars(caught.value))


@pytest.mark.parametrize(
    ("status", "why", "next_"),
    [
        (407, "407 Proxy Authentication Required: a web page, 'Blocked'", "HTTPS_PROXY"),
        (403, "403 Forbidden: a web page, 'Blocked'", "account"),
        (502, "502 Bad Gateway: a web page, 'Blocked'", "log"),
    ],
)
def test_what_a_proxy_answers_itself_is_said_to_be_a_page(
    status: int, why: str, next_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_proxy(status, b"<html><title>Blocked</title></html>") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        store = RegistryStore(
            "oci+http://registry.example/app", LayoutStore(tmp_path), no_credentials, sleep=lambda _: None
        )
        with pytest.raises(StoreError) as caught:
            store.find("app")
    assert str(caught.value.why).startswith(why) and next_ in str(caught.value.next)


def test_a_proxy_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_proxy(407) as gone:
        pass
    monkeypatch.setenv("HTTPS_PROXY", gone)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    store = RegistryStore(
        "oci://registry.example/app", LayoutStore(tmp_path), no_credentials, sleep=lambda _: None
    )
    with pytest.raises(StoreError) as caught:
        store.find("app")
    assert str(caught.value.why).startswith("the proxy does not answer: ")
