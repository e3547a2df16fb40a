"""Lists that a registry returns in pages: tags, and the referrers of an image.

Source: OCI distribution specification 1.1 (listing tags, listing referrers); RFC 8288 (Link).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import msgspec
from msgspec import Raw, Struct

from autoclave.errors import StoreError
from autoclave.store.artifacts import media_type_of
from autoclave.store.oci import INDEX, Descriptor
from autoclave.store.registry.client import Client
from autoclave.store.registry.errors import RegistryError, codes, refuse_page
from autoclave.store.registry.http import Answer

_PAGE = 1000
"""Some registries refuse more, and each of them may return less."""
_PAGES = 10_000
_NEXT = re.compile(r"<([^>]*)>\s*;[^,]*\brel\s*=\s*\"?next\b", re.IGNORECASE)
_NO_API = frozenset({400, 403, 404, 405, 406, 410, 415, 422, 501})
"""What registries, and proxies before them, answer to a request that they do not know. Not 401, 429 or 5xx:
those may be answered for a list that exists."""


_EMPTY = msgspec.json.encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})


class _Index(Struct):
    manifests: list[Descriptor]


class _Tags(Struct):
    tags: list[str] | None = None


def tags(client: Client, prefix: str) -> list[str]:
    """List the tags that begin with `prefix` and are longer; none when there is no repository yet.

    Some registries know no `last=` that is not a tag: they refuse it, or list nothing. So an empty list
    counts only when the whole list is without the prefix too. Others refuse pages of this size.
    """
    answer = client.send("GET", f"tags/list?n={_PAGE}&last={prefix}", ok=(200, *_NO_API))
    if answer.status == 200:
        found = _follow(client, answer, prefix)
        if found or min(_tags(answer), default="") > prefix:
            return found
    answer = client.send("GET", f"tags/list?n={_PAGE}", ok=(200, *_NO_API))
    if answer.status not in {200, 404}:
        answer = client.send("GET", "tags/list")
    return _follow(client, answer, prefix) if answer.status == 200 else []


def _follow(client: Client, answer: Answer, prefix: str) -> list[str]:
    """Return the tags of a list from its first page on."""
    seen: dict[str, None] = {}
    for _ in range(_PAGES):
        page = _tags(answer)
        fresh = [tag for tag in page if tag not in seen]
        seen |= dict.fromkeys(fresh)
        following = _next_page(client, answer)
        if not following and len(page) >= _PAGE:
            # go-containerregistry truncates the list without a link; Debian's registry 2.8 does not.
            following = f"tags/list?n={_PAGE}&last={page[-1]}"
        if not fresh or not following or _is_beyond(page, prefix):
            return [tag for tag in seen if tag.startswith(prefix) and tag != prefix]
        answer = client.send("GET", following)
    raise _make_endless_error(client, "tags")


def referrers(client: Client, subject: str) -> tuple[list[Descriptor] | None, bool]:
    """List the referrers of an image: None without a referrers API, and whether that is certain.

    It is not certain while the repository is empty: some registries do not know the repository then.
    """
    found: dict[str, Descriptor] = {}
    target = f"referrers/{subject}"
    for number in range(_PAGES):
        answer = client.send("GET", target, headers={"Accept": INDEX}, ok=(200, 401, *_NO_API))
        if answer.status == 401 and "WWW-Authenticate" in answer.headers:
            # Harbor 2.7 refuses the API so, but without a challenge: it asks for no credentials.
            answer = client.send("GET", target, headers={"Accept": INDEX})
        page = entries(answer.body) if answer.status == 200 else None
        if page is None:
            if number:
                raise RegistryError(
                    f"the list of referrers of {subject} is malformed", why=f"page {number + 1}"
                )
            return None, "NAME_UNKNOWN" not in codes(answer)
        fresh = {each.digest: each for each in page if each.digest not in found}
        found |= fresh
        following = _next_page(client, answer)
        if not following or not fresh:
            return list(found.values()), True
        target = following
    raise _make_endless_error(client, "referrers")


def entries(raw: bytes, kinds: Collection[str] = (INDEX,)) -> list[Descriptor] | None:
    """Return what an OCI index lists; None when the bytes are anything else.

    A host without the referrers API may answer with a page of its own.
    """
    try:
        if media_type_of(raw, "it") in kinds:
            return msgspec.json.decode(raw, type=_Index).manifests
    except (StoreError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    return None


def add_entries(raw: bytes, more: Iterable[Descriptor]) -> bytes:
    """Return the bytes of an index with these entries at its end; the others stay unchanged."""
    fields = msgspec.json.decode(raw or _EMPTY, type=dict[str, Raw])
    listed = msgspec.json.decode(fields["manifests"], type=list[Raw])
    known = {each.digest for each in entries(raw or _EMPTY) or ()}
    for each in more:
        if each.digest not in known:
            known.add(each.digest)
            listed.append(Raw(msgspec.json.encode(each)))
    return msgspec.json.encode(fields | {"manifests": listed})


def _tags(answer: Answer) -> list[str]:
    try:
        return msgspec.json.decode(refuse_page(answer).body, type=_Tags).tags or []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RegistryError("the registry's list of tags is malformed", why=str(error)) from error


def _next_page(client: Client, answer: Answer) -> str:
    link = _NEXT.search(answer.headers.get("Link", ""))
    return client.resolve(answer.url, link[1]) if link else ""


def _is_beyond(page: list[str], prefix: str) -> bool:
    """Return whether later pages cannot have the prefix: only when the registry sorts its tags."""
    return page == sorted(page) and page[-1] > prefix and not page[-1].startswith(prefix)


def _make_endless_error(client: Client, what: str) -> RegistryError:
    return RegistryError(
        f"the registry {client.address.host} returns an endless list of {what}",
        why=f"more than {_PAGES} pages",
        next="see the registry's log",
    )
