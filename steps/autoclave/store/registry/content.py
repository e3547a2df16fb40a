"""Content of a registry's repository, through a verified cache on this machine.

Everything is written to the cache first, which computes the digest, and read from it, which verifies it.
What is missing or damaged in the cache is fetched again. What was seen in the registry once is not requested
again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain

from autoclave.errors import StoreError
from autoclave.model.digest import Digest, check_digest, digest_of
from autoclave.store.artifacts import IMAGES, media_type_of
from autoclave.store.base import SMALL
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import Descriptor
from autoclave.store.registry.client import Client
from autoclave.store.registry.download import download
from autoclave.store.registry.errors import (
    RegistryError,
    explain_immutable,
    explain_rewriting,
    is_immutable,
    refuse_page,
)
from autoclave.store.registry.http import Answer
from autoclave.store.registry.upload import is_there, upload

_ACCEPT = {"Accept": ", ".join(sorted(IMAGES))}
_ANY = "application/octet-stream"
_MANIFESTS, _BLOBS = "manifests", "blobs"
_TURNS = 4
_SMALL = 64 * 1024


Counter = Callable[[str, int], Callable[[Iterable[bytes]], Iterator[bytes]]]
"""What counts the chunks of a transfer: it is given what is transferred, and how many bytes."""


class Content:
    """Blobs and manifests by digest, and manifests by tag. Threads may share it."""

    def __init__(self, client: Client, cache: LayoutStore, moved: Counter = lambda what, total: iter) -> None:
        self.client = client
        self._moved = moved
        self.cache = cache
        self._known: dict[str, str] = {}  # digest: manifests or blobs
        self._absent: set[str] = set()
        self._verified: set[str] = set()

    def write(self, chunks: Iterable[bytes], *, media_type: str, expect: str = "") -> Descriptor:
        """Put content into the cache and, when it is not there, into the registry."""
        start, rest = _read_start(iter(chunks))
        # Small content that is not in the cache is a new record: sending it costs no more than asking for it.
        is_new = not rest and not self.cache.has(digest_of(start))
        written = self.cache.write(chain([start], rest), media_type=media_type, expect=expect)
        if media_type in IMAGES:
            if self._known.get(written.digest) != _MANIFESTS:
                self.put(written.digest, self.cache.read(written.digest))
        elif is_new or written.digest in self._absent or not self._has_blob(written.digest):
            self._upload(written)
        return written

    def put(self, reference: str, raw: bytes) -> Answer:
        """Put a manifest under its digest or under a tag; return the registry's answer."""
        digest = digest_of(raw)
        headers = {"Content-Type": media_type_of(raw, digest)}
        for turn in range(1, _TURNS + 1):
            try:
                answer = self.client.send(
                    "PUT", f"{_MANIFESTS}/{reference}", headers=headers, body=raw, ok=(200, 201, 202)
                )
                break
            except RegistryError as error:
                if is_immutable(error) and (known := self._find_same(reference, raw, error)):
                    return known
                # While another client uploads the same blob, Debian's registry does not have it for a moment.
                if "MANIFEST_BLOB_UNKNOWN" not in error.codes or turn == _TURNS:
                    raise
                self.client.retry.wait(turn)
        stored = answer.headers.get("Docker-Content-Digest", digest)
        if stored != digest:
            raise explain_rewriting(self.client.address.host, digest, stored)
        self._known[digest] = _MANIFESTS
        return answer

    def _find_same(self, tag: str, raw: bytes, refused: RegistryError) -> Answer | None:
        """Return the answer for a tag that refers to this manifest already, whatever the registry refused.

        Raises RegistryError when the tag refers to another one.
        """
        if ":" in tag:  # a digest
            return None
        found = self.client.send("GET", f"{_MANIFESTS}/{tag}", headers=_ACCEPT, ok=(200, 404))
        if found.status == 404:
            return None
        if found.body == raw:
            return found
        raise explain_immutable(tag, refused)

    def require(self, blob: Descriptor) -> None:
        """Make sure that the registry has a blob that an artifact names; upload it from the cache if not."""
        if self._has_blob(blob.digest):
            return
        if not self.cache.has(blob.digest):
            raise StoreError(
                f"the registry does not hold {blob.digest}",
                why="an attachment may only name content that is in the store",
                next="write the content before attaching it",
            )
        self._upload(blob)

    def has(self, digest: str) -> bool:
        """Ask the registry for a blob or manifest, unless it was seen there before."""
        found = self._has_blob(digest) or self._has_manifest(digest)
        if not found:
            self._absent.add(digest)  # it will be written next, without another request
        return found

    def read(self, digest: str, *, limit: int = SMALL, is_manifest: bool = False) -> bytes:
        """Return content whole, verified; raise StoreError if missing, damaged or larger than `limit`.

        With `is_manifest` the manifests are searched first.
        """
        if self.cache.has(digest):
            with suppress(StoreError):  # damaged, or too large: read it from the registry
                return self.cache.read(digest, limit=limit)
        self._fetch(digest, limit, first=_MANIFESTS if is_manifest else _BLOBS)
        return self.cache.read(digest, limit=limit)

    def chunks(self, digest: str) -> Iterator[bytes]:
        """Stream content, all of it verified before the first byte."""
        self.ensure(digest)
        return self.cache.chunks(digest)

    def ensure(self, digest: str) -> None:
        """Make sure that the content is in the cache, all of it verified in this process."""
        if digest in self._verified and self.cache.has(digest):
            return
        if not self._is_whole(digest):
            self._fetch(digest, None)
        self._verified.add(digest)

    def manifest(self, digest: str) -> bytes | None:
        """Return a manifest that is in the registry, verified, or None when the registry does not have it."""
        if self._known.get(check_digest(digest)) == _BLOBS:
            return None  # Debian's registry fails when a blob is requested as a manifest
        if not self.cache.has(digest):
            return self.read(digest) if self._fetch_one(_MANIFESTS, digest, SMALL) else None
        return self.read(digest) if self._has_manifest(digest) else None

    def read_tag(self, tag: str, *, keep: bool = False) -> bytes | None:
        """Return the manifest that a tag refers to now, or None; with `keep`, write it into the cache."""
        answer = self.client.send("GET", f"{_MANIFESTS}/{tag}", headers=_ACCEPT, ok=(200, 404))
        if answer.status == 404:
            return None
        refuse_page(answer)
        if keep:
            kept = self.cache.write([answer.body], media_type=_ANY)
            self._known[kept.digest] = _MANIFESTS
        return answer.body

    def forget(self, digest: str) -> None:
        """Forget a manifest that was deleted: it is requested again before it is taken to be there."""
        self._known.pop(digest, None)
        self._verified.discard(digest)

    def _has_blob(self, digest: str) -> bool:
        return self._ask_once(digest, _BLOBS, lambda: is_there(self.client, digest))

    def _has_manifest(self, digest: str) -> bool:
        def ask() -> bool:
            target = f"{_MANIFESTS}/{digest}"
            return self.client.send("HEAD", target, headers=_ACCEPT, ok=(200, 404)).status == 200

        return self._ask_once(digest, _MANIFESTS, ask)

    def _ask_once(self, digest: str, kind: str, ask: Callable[[], bool]) -> bool:
        if self._known.get(check_digest(digest)) == kind:
            return True
        if ask():
            self._known[digest] = kind
            return True
        return False

    def _upload(self, blob: Descriptor) -> None:
        count = self._moved(f"{Digest(blob.digest).short} to the registry", blob.size)
        upload(self.client, blob.digest, blob.size, lambda: count(self.cache.chunks(blob.digest)))
        self._known[blob.digest] = _BLOBS
        self._absent.discard(blob.digest)

    def _is_whole(self, digest: str) -> bool:
        if not self.cache.has(digest):
            return False
        try:
            for _ in self.cache.chunks(digest):
                pass
        except StoreError:
            return False
        return True

    def _fetch(self, digest: str, limit: int | None, *, first: str = _BLOBS) -> None:
        """Fetch content of unknown kind: as what it was seen as, else as `first`, else as the other kind."""
        first = self._known.get(check_digest(digest), first)
        kinds = (first, _MANIFESTS if first == _BLOBS else _BLOBS)
        if not any(self._fetch_one(kind, digest, limit) for kind in kinds):
            raise StoreError(
                f"the registry does not hold {digest}",
                why=f"{self.client.address} has neither a manifest nor a blob with this digest",
                next="build the image again, or point to the store that holds it",
            )

    def _fetch_one(self, kind: str, digest: str, limit: int | None) -> bool:
        limit = min(SMALL, SMALL if limit is None else limit) if kind == _MANIFESTS else limit
        headers = _ACCEPT if kind == _MANIFESTS else {}
        pieces = download(self.client, f"{kind}/{digest}", headers=headers, limit=limit)
        if pieces is None:
            return False
        count = self._moved(f"{Digest(digest).short} from the registry", 0)
        self.cache.write(count(pieces), media_type=_ANY, expect=digest)
        self._known[digest] = kind
        return True


def _read_start(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes] | tuple[()]]:
    """Return the first bytes, and the rest when there is more."""
    start = b""
    for chunk in chunks:
        start += chunk
        if len(start) > _SMALL:
            return start, chunks
    return start, ()
