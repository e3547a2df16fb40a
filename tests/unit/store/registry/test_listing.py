"""Retries, media types, and paged lists: without a registry."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autoclave.errors import StoreError
from autoclave.model.digest import digest_of
from autoclave.runtime.retry import TRIES, Retry
from autoclave.store.artifacts import media_type_of
from autoclave.store.oci import INDEX, MANIFEST, Descriptor
from autoclave.store.registry import listing
from autoclave.store.registry.address import Address
from autoclave.store.registry.client import Client
from autoclave.store.registry.errors import RegistryError
from autoclave.store.registry.http import Broken
from autoclave.store.registry.retry import send_until_answered

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
SUBJECT = "sha256-" + "5" * 64


class Reply:
    def __init__(self, status: int, body: object = b"", **headers: str) -> None:
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.url = "https://h/v2/a/"


@pytest.mark.parametrize(("status", "tries"), [(200, 1), (404, 1), (403, 1), (429, TRIES), (503, TRIES)])
def test_only_what_may_pass_is_tried_again(status: int, tries: int) -> None:
    made: list[Reply] = []
    slept: list[float] = []

    def attempt() -> Any:
        made.append(Reply(status))
        return made[-1]

    assert send_until_answered(Retry(slept.append), attempt, "https://h/").status == status
    assert (len(made), len(slept)) == (tries, tries - 1)


@pytest.mark.parametrize(("final", "tries"), [(False, TRIES), (True, 1)])
def test_a_connection_that_stays_broken_is_an_error(final: bool, tries: int) -> None:
    slept: list[float] = []

    def attempt() -> Any:
        raise Broken("Connection refused", final=final)

    with pytest.raises(RegistryError, match=r"does not answer: https://h/a$") as caught:
        send_until_answered(Retry(slept.append), attempt, "https://u:secret@h/a?state=x")
    assert caught.value.why == "Connection refused"
    assert len(slept) == tries - 1


@pytest.mark.parametrize(
    ("scheme", "location", "url"),
    [
        ("https", "/v2/a/uploads/1", "https://h/v2/a/uploads/1"),
        ("https", "https://storage.example.com/1?s=x", "https://storage.example.com/1?s=x"),
        ("https", "http://h/v2/a/uploads/1", ""),
        ("https", "file:///etc/passwd", ""),
        ("https", "//storage.example.com/1", "https://storage.example.com/1"),
        ("https", "http://[", ""),
        ("https", "https://user:secret@h/1", ""),
        ("https", "https://elsewhere.example\\@h/1", ""),
        ("https", "https://h\u3002example/1", ""),
        ("http", "http://h/1", "http://h/1"),
        ("http", "http://127.0.0.1:9000/1", "http://127.0.0.1:9000/1"),
        ("http", "http://storage.example.com/1", ""),
    ],
)
def test_a_registry_leads_to_encrypted_addresses_only(scheme: str, location: str, url: str) -> None:
    client = Client(Address(scheme, "h", "a"), lambda _: None)
    if url:
        assert client.resolve(f"{scheme}://h/v2/a/x", location) == url
    else:
        with pytest.raises(RegistryError, match="not allowed"):
            client.resolve(f"{scheme}://h/v2/a/x", location)


class Pages:
    """A client whose registry holds these tags, and pages as some registry does."""

    address = Address("https", "h", "a")

    def __init__(self, tags: list[str], kind: str, page: int = 3) -> None:
        self.tags, self.kind, self.page = tags, kind, page
        self.asked: list[str] = []

    def resolve(self, base: str, location: str) -> str:
        return location

    def send(self, method: str, target: str, **_: object) -> Reply:
        assert method == "GET"
        self.asked.append(target)
        last = target.partition("last=")[2]
        if self.kind == "whole":
            return Reply(200, {"tags": self.tags})
        if self.kind == "unsorted":
            start = int(target.partition("at=")[2] or 0)
            rest = self.tags[start:]
            following = f"tags/list?at={start + self.page}"
        else:
            rest = sorted(tag for tag in self.tags if tag > last)
            following = f"tags/list?last={rest[self.page - 1]}" if len(rest) > self.page else ""
        if self.kind == "silent" or len(rest) <= self.page:
            return Reply(200, {"tags": rest[: self.page] or None})
        return Reply(200, {"tags": rest[: self.page]}, Link=f'<{following}>; rel="next"')


@pytest.mark.parametrize("kind", ["whole", "linked", "silent", "unsorted"])
def test_every_way_of_paging_gives_every_tag(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_PAGE", 3)
    wanted = [f"{SUBJECT}.{number:040x}" for number in range(10)]
    others = ["a", "b", "sha256-" + "4" * 64 + ".sig", "sha256-" + "6" * 64 + ".sig", "v1", "v2", "v3", "zz"]
    tags = [tag for pair in zip(wanted, [*others, "x", "y"], strict=True) for tag in pair]
    client: Any = Pages(tags, kind)
    assert sorted(listing.tags(client, SUBJECT)) == sorted(wanted)


def test_pages_beyond_the_wanted_ones_are_not_asked_for() -> None:
    client: Any = Pages([f"{SUBJECT}.{'0' * 40}", *(f"v{number:03}" for number in range(300))], "linked")
    assert listing.tags(client, SUBJECT) == [f"{SUBJECT}.{'0' * 40}"]
    assert len(client.asked) == 1


class Picky(Pages):
    """A registry with its own view of `last=` and `n=`, as some of the reports about them say."""

    def __init__(self, tags: list[str], *, last: int | str = 0, n: int = 0) -> None:
        super().__init__(tags, "whole")
        self.last, self.n = last, n

    def send(self, method: str, target: str, **more: Any) -> Reply:
        ok = more.get("ok", (200,))
        answer = super().send(method, target)
        if "last=" in target and self.last:
            answer = Reply(200, {"tags": []}) if self.last == "empty" else Reply(int(self.last))
        if "n=" in target and self.n:
            answer = Reply(self.n)
        if answer.status not in ok:
            raise RegistryError(f"{answer.status}")
        return answer


@pytest.mark.parametrize("last", [0, 400, 404, 405, 406, 422, 501, "empty"])
@pytest.mark.parametrize("n", [0, 400, 422])
def test_a_registry_that_refuses_where_to_begin_hides_no_record(last: int | str, n: int) -> None:
    wanted = [f"{SUBJECT}.{number:040x}" for number in range(3)]
    client: Any = Picky(["a", *wanted, "v1"], last=last, n=n)
    assert listing.tags(client, SUBJECT) == wanted


def test_a_list_that_nothing_gets_is_an_error_and_not_an_empty_one() -> None:
    client: Any = Picky([])
    client.n = client.last = 400
    client.send = lambda *_, **more: Reply(403) if 403 in more.get("ok", ()) else _refuse()
    with pytest.raises(RegistryError):
        listing.tags(client, SUBJECT)


def _refuse() -> Reply:
    raise RegistryError("403")


def test_a_list_that_begins_behind_the_prefix_is_not_asked_for_twice() -> None:
    client: Any = Pages([f"v{number:03}" for number in range(2)], "linked")
    assert listing.tags(client, SUBJECT) == []
    assert len(client.asked) == 1


def test_a_registry_without_the_repository_has_no_tags() -> None:
    client: Any = Pages([], "linked")
    client.send = lambda *_, **__: Reply(404)
    assert listing.tags(client, SUBJECT) == []


def entry(number: int) -> dict[str, object]:
    return {"mediaType": MANIFEST, "digest": digest_of(b"%d" % number), "size": 1}


def index(*numbers: int) -> dict[str, object]:
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry(number) for number in numbers]}


def test_referrers_are_listed_page_by_page() -> None:
    client: Any = Pages([], "")
    pages = {
        "referrers/s": Reply(200, index(1, 2), Link='</more>; rel="next"'),
        "/more": Reply(200, index(2, 3)),
    }
    client.send = lambda _, target, **__: pages[target]
    found, sure = listing.referrers(client, "s")
    assert sure
    assert [each.digest for each in found or ()] == [digest_of(b"%d" % number) for number in (1, 2, 3)]
    pages["/more"] = Reply(404)
    with pytest.raises(RegistryError, match="malformed"):
        listing.referrers(client, "s")


@pytest.mark.parametrize(
    ("reply", "sure"),
    [
        (Reply(404, b"404 page not found\n"), True),
        *((Reply(status), True) for status in (400, 403, 405, 406, 410, 415, 422, 501)),
        (Reply(200, b"<html>"), True),
        (Reply(200, {"errors": []}), True),
        (Reply(404, {"errors": [{"code": "NAME_UNKNOWN"}]}), False),
    ],
)
def test_a_registry_without_the_referrers_api_is_recognised(reply: Reply, sure: bool) -> None:
    client: Any = Pages([], "")
    client.send = lambda *_, **__: reply
    assert listing.referrers(client, "s") == (None, sure)


def test_an_index_is_extended_without_losing_what_others_wrote() -> None:
    before = index(1) | {"annotations": {"by": "others"}}
    before["manifests"][0]["data"] = "kept"
    more = Descriptor(
        media_type=MANIFEST, digest=digest_of(b"2"), size=1, artifact_type="t", annotations={"a": "b"}
    )
    known = Descriptor(media_type=MANIFEST, digest=digest_of(b"1"), size=1)
    after = json.loads(listing.add_entries(json.dumps(before).encode(), [known, more, more]))
    assert after == before | {
        "manifests": [
            *before["manifests"],
            entry(2) | {"artifactType": "t", "annotations": {"a": "b"}},
        ]
    }
    assert json.loads(listing.add_entries(b"", [known])) == index(1)


@pytest.mark.parametrize(
    ("document", "media_type"),
    [
        ({"manifests": []}, INDEX),
        ({"layers": []}, MANIFEST),
        ({"mediaType": DOCKER, "layers": []}, DOCKER),
        ({"mediaType": "application/vnd.other", "layers": []}, "application/vnd.other"),
    ],
)
def test_a_manifest_says_itself_what_it_is(document: dict[str, object], media_type: str) -> None:
    assert media_type_of(json.dumps(document).encode(), "d") == media_type


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"manifests": [], "layers": []},
        {"mediaType": INDEX, "layers": []},
        {"mediaType": MANIFEST, "manifests": []},
        {"mediaType": INDEX},
        [],
    ],
)
def test_a_manifest_that_can_be_read_in_two_ways_is_refused(document: object) -> None:
    with pytest.raises(StoreError, match="is not an OCI manifest"):
        media_type_of(json.dumps(document).encode(), "d")
