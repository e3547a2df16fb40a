"""The store in real registries: with the referrers API, without it, and as GitLab's behaves."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from securesystemslib.signer import CryptoSigner

from autoclave.errors import StoreError
from autoclave.evidence import cosign, predicates, records, statement, transfer
from autoclave.evidence.statement import PROVENANCE
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.model.digest import digest_of
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import INDEX, MANIFEST, Descriptor
from autoclave.store.registry import listing
from autoclave.store.registry.address import parse
from autoclave.store.registry.client import Client
from autoclave.store.registry.store import RegistryStore
from builders.devices import program
from builders.registries import no_credentials, open_store, serve_debian, serve_with_referrers
from builders.sample_facts import BUILD, STEP_INFO
from builders.sample_image import verify_signature, write_image
from doubles.faulty_registry import FaultyRegistry, serve_faulty

RECORD = "application/vnd.example.record"
WRITERS = 20

Open = Callable[[str], RegistryStore]


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Debian's registry has no referrers API, go-containerregistry's has."""
    with (
        serve_debian(tmp_path_factory.mktemp("debian")) as plain,
        serve_with_referrers(tmp_path_factory.mktemp("referrers")) as capable,
    ):
        yield {"debian": plain, "gitlab": plain, "referrers": capable}


@pytest.fixture(params=["debian", "gitlab", "referrers"])
def proxy(request: pytest.FixtureRequest, addresses: dict[str, str]) -> Iterator[FaultyRegistry]:
    """Each kind of registry, behind a proxy that counts."""
    kind: str = request.param
    with serve_faulty(addresses[kind], gitlab=kind == "gitlab") as server:
        yield server


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """A repository of each test's own."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name.lower()).strip("-").replace("--", "-")


@pytest.fixture
def opened(proxy: FaultyRegistry, tmp_path: Path, repository: str) -> Open:
    """Open the store as another machine would: with a cache of its own."""
    return lambda cache: open_store(proxy.address, tmp_path / cache, repository=repository, hurry=2)


def attach(store: RegistryStore, image: Descriptor, content: bytes, **annotations: str) -> Descriptor:
    layer = store.write([content], media_type="application/vnd.example")
    return store.attach(image, artifact_type=RECORD, layers=[layer], annotations=annotations)


def test_an_image_comes_back_byte_for_byte(opened: Open, tmp_path: Path) -> None:
    here, there = LayoutStore(tmp_path / "here"), LayoutStore(tmp_path / "there")
    image = write_image(here, b"first layer", b"x" * 3_000_000)
    here.tag("app-1.0", image)
    store = opened("one")
    transfer.copy_image(here, store, image.digest, name="app-1.0")
    other = opened("two")
    assert other.find("app-1.0") == image
    assert other.find_image(image.digest) == image
    transfer.copy_image(other, there, image.digest, name="app-1.0")
    blobs = {path.name: path.read_bytes() for path in (here.root / "blobs" / "sha256").iterdir()}
    assert blobs == {path.name: path.read_bytes() for path in (there.root / "blobs" / "sha256").iterdir()}
    location = other.locate(image.digest)
    assert location == f"{tmp_path / 'two'}@{image.digest}"
    assert LayoutStore(tmp_path / "two").locate(image.digest) == location


def test_missing_content_is_reported(opened: Open) -> None:
    store = opened("one")
    unknown = digest_of(b"?")
    assert not store.has(unknown)
    assert store.find("none") is None
    assert store.referrers(unknown) == []
    with pytest.raises(StoreError, match="has no image"):
        store.find_image(unknown)
    with pytest.raises(StoreError, match="does not hold"):
        store.read(unknown)
    ghost = Descriptor(media_type=MANIFEST, digest=unknown, size=1)
    with pytest.raises(StoreError, match="does not hold"):
        store.attach(ghost, artifact_type=RECORD, layers=[], annotations={})
    image = write_image(store)
    with pytest.raises(StoreError, match="does not hold"):
        store.attach(image, artifact_type=RECORD, layers=[ghost], annotations={})
    with pytest.raises(StoreError, match="has no image"):
        store.find_image(digest_of(b"layer"))
    with pytest.raises(StoreError, match="too large"):
        opened("two").read(digest_of(b"layer"), limit=4)


def test_records_are_found_oldest_first_and_by_type(opened: Open) -> None:
    store = opened("one")
    image, other = write_image(store), write_image(store, b"another")
    attach(store, other, b"other")
    newest = attach(store, image, b"c", **{records.CREATED: "2026-11-24T09:00:00+01:00"})
    oldest = attach(store, image, b"a", **{records.CREATED: "2026-11-24T07:59:59.5Z"})
    undated = attach(store, image, b"u")
    for reader in (store, opened("two")):
        assert reader.referrers(image.digest) == [undated, oldest, newest]
        assert reader.referrers(image.digest, artifact_type=RECORD) == [undated, oldest, newest]
        assert reader.referrers(image.digest, artifact_type="application/other") == []
    with pytest.raises(StoreError, match="is a record, not an image"):
        store.find_image(oldest.digest)


def _writer(address: str, cache: Path, repository: str, image: Descriptor, number: int) -> None:
    store = open_store(address, cache, repository=repository, hurry=2)
    attach(store, image, b"record %d" % number)


@pytest.mark.parametrize("kind", ["threads", "processes", "one shared store"])
def test_of_twenty_writers_at_once_none_loses_a_record(
    kind: str, opened: Open, proxy: FaultyRegistry, tmp_path: Path, repository: str
) -> None:
    store = opened("one")
    image = write_image(store)
    start = time.monotonic()
    if kind == "processes":
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["builders.registries"])
        jobs = [
            context.Process(target=_writer, args=(proxy.address, tmp_path / f"w{n}", repository, image, n))
            for n in range(WRITERS)
        ]
    elif kind == "threads":
        jobs = [
            threading.Thread(target=_writer, args=(proxy.address, tmp_path / f"w{n}", repository, image, n))
            for n in range(WRITERS)
        ]
    else:
        jobs = [
            threading.Thread(target=attach, args=(store, image, b"record %d" % n)) for n in range(WRITERS)
        ]
    for job in jobs:
        job.start()
    reader, before = opened("reader"), 0
    while any(job.is_alive() for job in jobs):  # reading meanwhile neither fails nor forgets
        now = len(reader.referrers(image.digest))
        assert now >= before
        before = now
    for job in jobs:
        job.join()
    print(f"\n{kind}: {time.monotonic() - start:.1f} s, {len(proxy.asked)} requests")
    found = opened("two").referrers(image.digest)
    layers = {json.loads(store.read(each.digest))["layers"][0]["digest"] for each in found}
    assert layers == {digest_of(b"record %d" % n) for n in range(WRITERS)}
    assert len(found) == WRITERS


def index_of(proxy: FaultyRegistry, repository: str, image: Descriptor) -> list[dict[str, object]]:
    """Ask as other tools do where there is no referrers API."""
    url = f"http://{proxy.upstream}/v2/{repository}/manifests/{image.digest.replace(':', '-')}"
    request = urllib.request.Request(url, headers={"Accept": INDEX})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return list(json.loads(answer.read())["manifests"])


def test_other_tools_find_the_records_where_that_is_possible(
    opened: Open, proxy: FaultyRegistry, repository: str, request: pytest.FixtureRequest
) -> None:
    store = opened("one")
    image = write_image(store)
    first = attach(store, image, b"1", note="first")
    second = attach(opened("two"), image, b"2")
    kind = request.node.callspec.params["proxy"]
    if kind == "debian":
        assert index_of(proxy, repository, image) == [
            {"mediaType": MANIFEST, "digest": first.digest, "size": first.size}
            | {"annotations": {"note": "first"}, "artifactType": RECORD},
            {"mediaType": MANIFEST, "digest": second.digest, "size": second.size, "artifactType": RECORD},
        ]
    else:
        assert proxy.count("PUT", "/manifests/sha256-[0-9a-f]{64}$") == 0


def test_a_lost_index_is_rebuilt_without_losing_records(
    opened: Open, proxy: FaultyRegistry, repository: str, request: pytest.FixtureRequest
) -> None:
    if request.node.callspec.params["proxy"] != "debian":
        assert proxy.upstream  # only there is such an index
        return
    store = opened("one")
    image = write_image(store)
    made = {attach(store, image, b"%d" % number).digest for number in range(3)}
    url = f"http://{proxy.upstream}/v2/{repository}/manifests/{image.digest.replace(':', '-')}"
    body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode()
    put = urllib.request.Request(url, data=body, method="PUT", headers={"Content-Type": INDEX})
    urllib.request.urlopen(put, timeout=10).close()
    assert {each.digest for each in opened("two").referrers(image.digest)} == made
    made.add(attach(opened("three"), image, b"more").digest)
    assert {entry["digest"] for entry in index_of(proxy, repository, image)} == made


def test_an_image_of_several_platforms_is_not_taken_for_a_list_of_records(
    opened: Open, proxy: FaultyRegistry
) -> None:
    """GitLab's registry answers with it when it is asked for the standard index."""
    store = opened("one")
    platform = write_image(store)
    body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [msgspec.to_builtins(platform)]}
    image = store.write([json.dumps(body).encode()], media_type=INDEX)
    made = attach(store, image, b"about all platforms")
    assert opened("two").referrers(image.digest) == [made]
    assert opened("two").find_image(image.digest) == image
    assert proxy.count("PUT", "/manifests/sha256-[0-9a-f]{64}$") in {0, 1}
    location = opened("three").locate(image.digest)
    assert location.endswith(image.digest)
    other = opened("three")
    proxy.fail("GET", "/blobs/", "reset", 100)
    assert other.read(digest_of(b"layer")) == b"layer"


def test_cosigns_tags_are_not_records(opened: Open) -> None:
    store = opened("one")
    image, signature = write_image(store), write_image(store, b"signature")
    for suffix in ("sig", "att", "0" * 39, "0" * 41):
        store.tag(f"{image.digest.replace(':', '-')}.{suffix}", signature)
    made = attach(store, image, b"record")
    assert opened("two").referrers(image.digest) == [made]


def test_many_tags_are_listed_page_by_page(
    opened: Open, proxy: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_PAGE", 2)
    store = opened("one")
    image, other = write_image(store), write_image(store, b"other")
    for name in ("a", "b", "zz", *(f"sha256-{digit * 64}" for digit in "0f")):
        store.tag(name, other)
    start = image.digest.replace(":", "-")
    wanted = {f"{start}.{number}" for number in range(5)}
    for name in wanted:
        store.tag(name, other)
    assert set(listing.tags(Client(parse(store.address), no_credentials), start)) == wanted
    assert proxy.count("GET", "tags/list") >= 2


def test_a_record_under_a_wrong_tag_is_reported(opened: Open, request: pytest.FixtureRequest) -> None:
    if request.node.callspec.params["proxy"] == "referrers":
        return
    store = opened("one")
    image = write_image(store)
    attach(store, image, b"record")
    store.tag(f"{image.digest.replace(':', '-')}.{'0' * 40}", image)
    with pytest.raises(StoreError, match="is damaged in the registry"):
        opened("two").referrers(image.digest)


def test_a_damaged_cache_is_restored_from_the_registry(opened: Open, tmp_path: Path) -> None:
    store = opened("one")
    image = write_image(store, b"layer one", b"layer two")
    record = attach(store, image, b"record")
    for digest in (image.digest, record.digest, digest_of(b"layer one"), digest_of(b"record")):
        path = tmp_path / "one" / "blobs" / "sha256" / digest.removeprefix("sha256:")
        path.write_bytes(b"damaged")
        fresh = opened("one")
        if digest == record.digest:
            assert fresh.referrers(image.digest) == [record]
        elif digest == image.digest:
            assert fresh.find_image(digest) == image
        else:
            assert b"".join(fresh.chunks(digest)) in {b"layer one", b"record"}
        assert digest_of(path.read_bytes()) == digest
    (tmp_path / "one" / "blobs" / "sha256" / digest_of(b"layer two").removeprefix("sha256:")).write_bytes(
        b"x"
    )
    assert opened("one").locate(image.digest).endswith(image.digest)


def test_requests_are_few(opened: Open, proxy: FaultyRegistry, request: pytest.FixtureRequest) -> None:
    """The first attachment uploads the empty configuration and finds out what the registry can do."""
    kind = request.node.callspec.params["proxy"]
    first, later, listing_two, again = {
        "debian": (12, 7, 5, 2),
        "gitlab": (9, 3, 5, 1),
        "referrers": (7, 3, 3, 1),
    }[kind]
    store, reader = opened("one"), opened("two")
    image = write_image(store)

    def requests(act: Callable[[], object]) -> int:
        del proxy.asked[:]
        act()
        print(f"\n{kind}:", *proxy.asked, sep="\n  ")
        return len(proxy.asked)

    assert requests(lambda: attach(store, image, b"first")) <= first
    assert requests(lambda: attach(store, image, b"second")) == later
    assert requests(lambda: reader.referrers(image.digest)) == listing_two
    assert requests(lambda: reader.referrers(image.digest)) == again


def test_signed_records_and_signatures_are_kept_and_found(
    opened: Open, proxy: FaultyRegistry, repository: str, tmp_path: Path
) -> None:
    """The real cosign judges the signature; records travel on to a layout byte for byte."""
    signer = CryptoSigner.generate_ecdsa()
    key = TrustedKey(name="test", key=signer.public_key, may=("build",))
    store = opened("one")
    image = write_image(store)
    body = statement.make(image.digest, PROVENANCE, predicates.provenance(STEP_INFO, BUILD, {}))
    records.attach(store, image, body, PROVENANCE, signer)
    del proxy.asked[:]
    start = time.monotonic()
    made = records.attach(store, image, body, PROVENANCE, signer)
    print(f"\nrecords.attach: {len(proxy.asked)} requests, {time.monotonic() - start:.3f} s")
    cosign.sign_image(store, image.digest, "registry.example.com/app", signer)
    del proxy.asked[:]
    start = time.monotonic()
    reader = opened("two")
    good, bad = records.read_all(reader, image.digest, Trust((key,), "the test"))
    print(f"read_all of 2, empty cache: {len(proxy.asked)} requests, {time.monotonic() - start:.3f} s")
    assert bad == []
    assert len(good) == 2
    assert made.digest in {record.digest for record in good}
    assert verify_signature(reader, image.digest, [key]) == [key]
    (tmp_path / "key.pub").write_text(signer.public_key.keyval["public"])
    argv = [program("cosign", "AUTOCLAVE_COSIGN"), "verify", "--key", str(tmp_path / "key.pub")]
    argv += ["--insecure-ignore-tlog", "--new-bundle-format=false", "--allow-http-registry"]
    argv += [f"{proxy.address}/{repository}@{image.digest}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    layout = LayoutStore(tmp_path / "layout")
    transfer.copy_image(reader, layout, image.digest, name="app")
    assert transfer.copy_attached(reader, layout, image.digest) == 2
    again, _ = records.read_all(layout, image.digest, Trust((key,), "the test"))
    assert again == good
    other = open_store(proxy.address, tmp_path / "three", repository=f"{repository}/copy")
    transfer.copy_attached(layout, other, image.digest)
    assert len(other.referrers(image.digest)) == 2, "records may come before their image"
