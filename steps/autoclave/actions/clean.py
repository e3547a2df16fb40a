"""Remove from the store what nobody needs: neither named, sealed, deployed, signed nor referred to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from msgspec import Struct, structs

from autoclave.context import Context
from autoclave.errors import AutoclaveError, RecordError, StoreError
from autoclave.evidence import dsse
from autoclave.evidence.cosign.bundle import BUNDLE
from autoclave.evidence.statement import APPROVAL, DEPLOYMENT, HOST_APPROVALS, SEAL
from autoclave.release import decisions
from autoclave.store import retention
from autoclave.store.base import Store
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import parse_manifest
from autoclave.store.registry.store import RegistryStore
from autoclave.store.retention import Listed, Plan

DECIDING = {
    SEAL: "is sealed",
    DEPLOYMENT: "was deployed",
    APPROVAL: "has an approval",
    HOST_APPROVALS: "has an approval",
    BUNDLE: "is signed",
}
"""The records for which an image is kept with everything that belongs to it, however old it is."""

CACHE = "registry"
"""The folder in `.autoclave` with this machine's copy of what is in registries."""

_DIGEST = re.compile(rb"sha256:[0-9a-f]{64}")
_SIGNED = re.compile(r"sha256-([0-9a-f]{64})\.(?:sig|att)")
_LARGEST = 1 << 28  # bytes of what is read for digests


class Cleaning(Struct, frozen=True):
    """What may be removed from a store, and digests of content that must stay, listed or not."""

    plan: Plan
    needed: frozenset[str]

    @property
    def images(self) -> list[Listed]:
        """The images that may be removed."""
        return [each for each in self.plan.removable if not each.subject]

    @property
    def size(self) -> int:
        """The bytes of all that may be removed, what several images share counted each time."""
        return sum(each.size for each in self.plan.removable)


def make_plan(
    store: Store, listed: Sequence[Listed], before: datetime, pinned: Mapping[str, str]
) -> Cleaning:
    """Return what may be removed of what is listed. Raises StoreError for a kept record that cannot be read.

    Every digest that a kept record, or a file that is attached with it, names anywhere is kept as well.
    """
    pins = dict(pinned) | {digest: "is signed" for each in listed for digest in _find_signed(each)}
    items = {each.digest: each for each in listed}
    read: dict[str, frozenset[str]] = {}
    while True:
        plan = retention.plan(list(items.values()), before=before, pinned=pins, deciding=DECIDING)
        fresh = [digest for digest in plan.kept if items[digest].subject and digest not in read]
        if not fresh:
            return Cleaning(plan, frozenset(one for found in read.values() for one in found))
        for digest in fresh:
            read[digest] = frozenset(_find_mentions(items[digest], store))
            refers = dict.fromkeys((*items[digest].refers, *sorted(read[digest])))
            items[digest] = structs.replace(items[digest], refers=tuple(refers))


def find_pinned(ctx: Context) -> dict[str, str]:
    """Return the digests that the device repository's decisions name."""
    found = {}
    for name, raw in decisions.read_files(ctx):
        for digest in _find_digests(raw):
            found[digest] = f"is named by {name}"
    return found


def measure(ctx: Context) -> dict[str, int]:
    """Return the bytes that this device takes on this machine: its store, and its copy of a registry's.

    A store in a registry is not measured, and what does not exist is left out.
    """
    found = {}
    if isinstance(ctx.store, LayoutStore):
        found["store"] = ctx.store.size()[1]
    if cache := find_cache(ctx):
        found["copy of the registry"] = cache.size()[1]
    return found


def describe_size(ctx: Context) -> str:
    """Return what this device takes on this machine, in words; empty when that cannot be known."""
    try:
        sizes = measure(ctx)
    except AutoclaveError:
        return ""
    return ", ".join(f"{name} {size / 1e6:,.0f} MB" for name, size in sizes.items())


def find_cache(ctx: Context) -> LayoutStore | None:
    """Return this machine's copy of what is in registries; None when there is none."""
    if isinstance(ctx.store, RegistryStore):
        return ctx.store.cache  # the one that is open: another opening would be another user of it
    if ctx.state.kind(CACHE) is None:
        return None
    try:
        return LayoutStore(ctx.state.at(CACHE), create=False)
    except StoreError:
        return None


def clean_cache(cache: LayoutStore, before: datetime) -> tuple[int, int]:
    """Remove old files of a registry's copy on this machine; return how many, and their bytes."""
    with cache.alone():
        kept = {each.digest for each in cache.inventory() if each.written is None or each.written >= before}
        removed = cache.clean(kept, (), before)
        return removed.files, removed.size


def _find_signed(each: Listed) -> Iterator[str]:
    for name in each.names:
        if found := _SIGNED.fullmatch(name):
            yield f"sha256:{found[1]}"


def _find_mentions(record: Listed, store: Store) -> Iterator[str]:
    """Yield the digests that a record and its files name. Raises StoreError when one cannot be read."""
    manifest = parse_manifest(store.read(record.digest), record.digest)
    for layer in manifest.layers:
        if layer.size > _LARGEST:
            raise StoreError(
                f"{layer.digest} is too large to find what it refers to",
                why=f"{layer.size:,} bytes, attached by {record.digest}",
                next="nothing was removed; find out what attached it",
            )
        yield from _find_digests(store.read(layer.digest, limit=_LARGEST))


def _find_digests(raw: bytes) -> Iterator[str]:
    """Yield the digests that a text names, and those in the payload of an envelope."""
    texts = [raw]
    with suppress(RecordError):
        texts.append(dsse.decode(raw)[0])
    for text in texts:
        yield from (match.decode() for match in _DIGEST.findall(text))
