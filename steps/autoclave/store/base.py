"""The store's interface: content by digest, names, and records attached to an image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from autoclave.errors import UsageError
from autoclave.store.oci import Descriptor

SMALL = 64 * 1024 * 1024
"""Most bytes that `read` returns at once; larger content is streamed with `chunks`."""


_SCHEMES = ("oci://", "oci+http://")
_OTHER_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/+|(?:oci|docker):", re.IGNORECASE)


def is_address(store: str) -> bool:
    """Return whether a store is named by a registry's address and not by a folder.

    Raises UsageError for what people write for a registry and is not its address here, which would otherwise
    become a folder of that name: `https://HOST/REPOSITORY`, `HOST/REPOSITORY`, `HOST:PORT`. A folder whose
    name looks so is named with `./` before it.
    """
    if store.startswith(_SCHEMES):
        return True
    if not store.isprintable():
        raise UsageError(
            f"{store!r} cannot be a store", why="it has a line end, a tab or another sign that is not printed"
        )
    scheme = _OTHER_SCHEME.match(store)
    if not scheme and not _looks_like_a_host(store):
        return False
    # What may have a user and a password before the @ is not printed.
    rest = re.sub(r"\A[^/]*@", "", store[scheme.end() if scheme else 0 :]) or "HOST/REPOSITORY"
    raise UsageError(
        f"{f'{scheme[0]}…' if scheme else repr(rest)} is neither the address of a registry nor a folder",
        why="a registry's address begins with oci://, and a folder whose name looks like one with ./",
        next=f"write --store oci://{rest}, or for a folder: --store ./{rest}",
    )


def _looks_like_a_host(store: str) -> bool:
    """Return whether the first part of a relative path is a host's name, as in `HOST[:PORT]/REPOSITORY`."""
    first, _, rest = store.partition("/")
    if first in {"", ".", ".."} or first.startswith("."):
        return False
    if ":" in store or "@" in store:  # a port, a tag, a digest or a user
        return True
    return bool(rest) and ("." in first or first.lower() == "localhost")


class Store(Protocol):
    """Content-addressed, verified on read: an OCI layout on disk, or a repository of an OCI registry."""

    def close(self) -> None:
        """Say that the store is not in use any more."""

    def write(self, chunks: Iterable[bytes], *, media_type: str, expect: str = "") -> Descriptor:
        """Add a blob; with `expect`, refuse content of another digest. Atomic, idempotent."""

    def has(self, digest: str) -> bool:
        """Return whether the content is there (its bytes are verified when they are read)."""

    def read(self, digest: str, *, limit: int = SMALL) -> bytes:
        """Return a small blob, verified. Raise StoreError if missing, damaged or larger than `limit`."""

    def chunks(self, digest: str) -> Iterator[bytes]:
        """Stream a blob in constant memory; raise StoreError at its end if the digest does not match."""

    def tag(self, name: str, descriptor: Descriptor) -> None:
        """Name a manifest; another one loses the name. The descriptor's annotations are kept with it."""

    def find(self, name: str) -> Descriptor | None:
        """Return the manifest that has a name, or None."""

    def attach(
        self,
        subject: Descriptor,
        *,
        artifact_type: str,
        layers: Sequence[Descriptor],
        annotations: dict[str, str],
    ) -> Descriptor:
        """Write an artifact manifest that refers to `subject` (OCI 1.1 referrer) and list it."""

    def adopt(self, raw: bytes) -> Descriptor:
        """List an artifact of another store, byte for byte; its content is here already."""

    def referrers(self, digest: str, *, artifact_type: str = "") -> list[Descriptor]:
        """List the artifacts attached to an image, oldest first, each manifest verified."""

    def find_image(self, digest: str) -> Descriptor:
        """Return the descriptor of a listed image manifest. Raise StoreError when it is not there."""

    def locate(self, digest: str) -> str:
        """Return where a scanner finds the image on this machine, all of it verified: `DIR@sha256:…`."""
