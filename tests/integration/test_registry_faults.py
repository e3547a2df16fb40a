"""A registry that fails: passing faults are retried, others reported, and the password is in no message."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from autoclave.errors import StoreError
from autoclave.model.digest import digest_of
from autoclave.store.oci import LAYER, Descriptor
from autoclave.store.registry import http
from autoclave.store.registry import upload as uploading
from autoclave.store.registry.store import RegistryStore
from builders.registries import PASSWORD, USER, open_store, serve_with_password, user_credentials
from builders.sample_image import write_image
from doubles.faulty_registry import FaultyRegistry, serve_faulty
from integration import registry_page
from integration.registry_page import Row

BIG = bytes(range(256)) * 4096 * 3 + b"and some more"
CHUNK = 1024 * 1024


@dataclass
class Known:
    """What is in the registry before it fails."""

    image: Descriptor
    layer: str


@dataclass
class Case:
    """A fault: what is done, which requests fail how (see doubles.faulty_registry), and what comes of it."""

    name: str
    act: Callable[[RegistryStore, Known], object]
    method: str
    path: str
    fault: str | int
    times: int = 1
    more: dict[str, object] = field(default_factory=dict)
    refused: bool = False
    requests: int = 2


def read(store: RegistryStore, known: Known) -> object:
    return store.find_image(known.image.digest)


def read_layer(store: RegistryStore, known: Known) -> object:
    assert b"".join(store.chunks(known.layer)) == BIG
    return None


def name(store: RegistryStore, known: Known) -> object:
    found = store.find("app")
    assert found == known.image
    return found


def records(store: RegistryStore, known: Known) -> object:
    found = store.referrers(known.image.digest)
    assert len(found) == 1
    return found


def upload(store: RegistryStore, known: Known) -> object:
    del known
    content = os.urandom(16) + BIG
    written = store.write([content], media_type=LAYER)
    assert store._content.client.send("GET", f"blobs/{written.digest}").body == content
    return None


def upload_small(store: RegistryStore, known: Known) -> object:
    del known
    return store.write([os.urandom(16)], media_type=LAYER)


def push(store: RegistryStore, known: Known) -> object:
    store.tag("app", known.image)
    return None


MANIFEST = "/manifests/sha256:"
DENIED = b'{"errors":[{"code":"DENIED","message":"%s"}]}'
ECHO = DENIED % f"user {USER} has no right, password {PASSWORD}".encode()
HALF_SECOND: dict[str, object] = {"pause": 0.9}

CASES = [
    Case("503, twice", read, "GET", MANIFEST, 503, 2, requests=3),
    Case("500, again and again", read, "GET", MANIFEST, 500, 99, refused=True, requests=5),
    Case("429 with Retry-After", read, "GET", MANIFEST, 429, more={"headers": {"Retry-After": "7"}}),
    Case("connection reset", read, "GET", MANIFEST, "reset"),
    Case("connection reset, again and again", read, "GET", MANIFEST, "reset", 99, refused=True, requests=5),
    Case("no answer in time", read, "GET", MANIFEST, "slow", more=HALF_SECOND),
    Case("manifest cut short", read, "GET", MANIFEST, "truncate"),
    Case("layer cut short: the rest is fetched", read_layer, "GET", "/blobs/", "truncate"),
    Case("layer cut short, again and again", read_layer, "GET", "/blobs/", "truncate", 99, refused=True,
         requests=5),
    Case("other bytes of the same size", read_layer, "GET", "/blobs/", "lie", 99, refused=True, requests=1),
    Case("other bytes under a tag", name, "GET", "/manifests/app", "lie", refused=True, requests=1),
    Case("400", push, "PUT", "/manifests/app", 400, 9, {"body": DENIED % b"no"}, refused=True, requests=1),
    Case("403, and the answer repeats the password", push, "PUT", "/manifests/app", 403, 9, {"body": ECHO},
         refused=True, requests=1),
    Case("401 that asks for nothing", read, "GET", MANIFEST, 401, 9, refused=True, requests=1),
    Case("404 for an upload", upload_small, "POST", "/uploads/", 404, 9, refused=True, requests=1),
    Case("503 for the list of tags", records, "GET", "/tags/list", 503, 99, refused=True, requests=5),
    Case("503 for the list of referrers", records, "GET", "/referrers/", 503, 99, refused=True, requests=5),
    Case("page of a website instead of referrers", records, "GET", "/referrers/", 200, 9,
         {"body": b"<html>welcome</html>"}, requests=1),
    Case("a listed record is missing", records, "GET", r"/manifests/sha256(:|.*\.)", 404, 99, refused=True,
         requests=1),
    Case("chunk refused with 503: sent again", upload, "PATCH", "/uploads/", 503, requests=5),
    Case("answer to a chunk is lost: Debian's registry starts again", upload, "PATCH", "/uploads/", "drop",
         requests=5),
    Case("connection breaks in a chunk", upload, "PATCH", "/uploads/", "half", requests=5),
    Case("upload forgotten by the registry", upload, "PATCH", "/uploads/", 404, requests=5),
    Case("chunks fail, again and again", upload, "PATCH", "/uploads/", 503, 99, refused=True, requests=5),
    Case("answer to the end of an upload is lost", upload, "PUT", "/uploads/", "drop", requests=1),
    Case("end of a small upload fails with 502", upload_small, "PUT", "/uploads/", 502),
]  # fmt: skip


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_with_password(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture(scope="module")
def known(upstream: str, tmp_path_factory: pytest.TempPathFactory) -> Known:
    store = open_store(upstream, tmp_path_factory.mktemp("cache") / "c", user_credentials)
    image = write_image(store, BIG)
    store.tag("app", image)
    store.attach(image, artifact_type="application/vnd.example", layers=[], annotations={})
    return Known(image, digest_of(BIG))


@pytest.fixture
def proxy(upstream: str) -> Iterator[FaultyRegistry]:
    with serve_faulty(upstream) as server:
        yield server


def text_of(error: StoreError) -> str:
    return f"{error.what}\nwhy: {error.why}\nnext: {error.next}"


def refuse_secrets(text: str) -> None:
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for secret in (PASSWORD, pair, "Basic ", "_state"):
        assert secret not in text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_registry_fault_ends_as_the_page_says(
    case: Case,
    proxy: FaultyRegistry,
    known: Known,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(uploading, "CHUNK", CHUNK)
    if case.fault == "slow":  # elsewhere a busy machine would be taken for a slow registry
        monkeypatch.setattr(http, "READ", 0.6)
    waited: list[float] = []
    store = open_store(proxy.address, tmp_path / "cache", user_credentials, waited=waited)
    store.find("none")  # so that the password was asked for and accepted
    if case.act is push:
        store.find_image(known.image.digest)
    del proxy.asked[:]
    proxy.fail(case.method, case.path, case.fault, case.times, **case.more)
    message = ""
    try:
        case.act(store, known)
    except StoreError as error:
        assert error.code == 40
        assert error.why
        assert error.next
        message = f"{error.what}<br>why: {error.why}"
        refuse_secrets(text_of(error))
    requests = proxy.count(case.method, case.path)
    registry_page.keep(Row(case.name, requests, message))
    assert bool(message) == case.refused, message or "it went well"
    assert requests == case.requests, "\n".join(map(str, proxy.asked))
    if case.fault == 429:
        assert waited == [7.0]


def test_a_layer_that_was_cut_short_is_resumed_where_it_broke(
    proxy: FaultyRegistry, known: Known, tmp_path: Path
) -> None:
    proxy.fail("GET", "/blobs/", "truncate")
    store = open_store(proxy.address, tmp_path / "cache", user_credentials)
    store.find("none")
    read_layer(store, known)
    first, second = (each for each in proxy.asked if "/blobs/" in each.path)
    assert "Range" not in first.headers
    start = int(second.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    assert len(BIG) // 2 - http.CHUNK < start <= len(BIG) // 2
    assert second.status == 206


def test_a_registry_that_cannot_resume_sends_all_of_it_again(
    proxy: FaultyRegistry, known: Known, tmp_path: Path
) -> None:
    store = open_store(proxy.address, tmp_path / "cache", user_credentials)
    store.find("none")
    proxy.fail("GET", "/blobs/", "truncate")
    proxy.fail("GET", "/blobs/", "norange")
    read_layer(store, known)
    assert [each.status for each in proxy.asked if "/blobs/" in each.path] == [200, 200]


def test_a_broken_upload_sends_no_chunk_twice_that_arrived(
    proxy: FaultyRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "CHUNK", CHUNK)
    store = open_store(proxy.address, tmp_path / "cache", user_credentials)
    store.find("none")
    proxy.fail("PATCH", "/uploads/", 503)
    content = os.urandom(16) + BIG
    store.write([content], media_type=LAYER)
    arrived = [each for each in proxy.asked if each.method == "PATCH" and each.status == 202]
    assert sum(each.size for each in arrived) == len(content)
    assert [each.headers["Content-Range"] for each in arrived] == [
        f"{start}-{min(start + CHUNK, len(content)) - 1}" for start in range(0, len(content), CHUNK)
    ]
    assert proxy.count("POST", "/uploads/") == 1


def test_damage_in_the_registrys_own_storage_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "registry"
    folder.mkdir()
    with serve_with_password(folder) as address:
        store = open_store(address, tmp_path / "one", user_credentials)
        image = write_image(store, b"layer")
        record = store.attach(image, artifact_type="application/vnd.example", layers=[], annotations={})
        for digest in (digest_of(b"layer"), record.digest):
            hexes = digest.removeprefix("sha256:")
            (path,) = (folder / "data").rglob(f"blobs/sha256/{hexes[:2]}/{hexes}/data")
            path.write_bytes(path.read_bytes().replace(b"a", b"b"))
        other = open_store(address, tmp_path / "two", user_credentials)
        with pytest.raises(StoreError, match="not what was announced"):
            other.read(digest_of(b"layer"))
        with pytest.raises(StoreError):
            other.referrers(image.digest)
        with pytest.raises(StoreError, match="not what was announced"):
            other.locate(image.digest)
