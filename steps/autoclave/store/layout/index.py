"""`index.json` of an OCI layout as a value: what is used is checked, the rest is kept byte for byte.

Source: OCI image specification 1.1 (image-index.md, image-layout.md; the pre-defined annotation `ref.name`).
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from autoclave.errors import StoreError
from autoclave.model.digest import check_digest
from autoclave.store.oci import INDEX, Descriptor

REF_NAME = "org.opencontainers.image.ref.name"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,254}")
_T = TypeVar("_T")


class Entry(Struct, frozen=True):
    """One entry: what is used of it, and all of it as in the file."""

    descriptor: Descriptor
    raw: Raw

    @property
    def name(self) -> str:
        """The entry's name, or empty."""
        return self.descriptor.annotations.get(REF_NAME, "")


class Index(Struct, frozen=True):
    """A parsed index: its entries in order, and its other keys unchanged."""

    entries: tuple[Entry, ...]
    others: dict[str, Raw]

    def encode(self) -> bytes:
        """Return the bytes of the file."""
        return msgspec.json.encode(self.others | {"manifests": [entry.raw for entry in self.entries]})


def parse(raw: bytes, where: str) -> Index:
    """Decode `index.json`; raise StoreError naming `where` when what is used is malformed or ambiguous."""

    def decode(part: bytes | Raw, kind: type[_T]) -> _T:
        try:
            return msgspec.json.decode(part, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _make_error(where, str(error)) from error

    fields = decode(raw, dict[str, Raw])
    if "manifests" not in fields or decode(fields.get("schemaVersion", Raw(b"0")), int) != 2:
        raise _make_error(where, "an index has schemaVersion 2 and a list of manifests")
    entries = tuple(
        Entry(_check_descriptor(decode(part, Descriptor), where), part)
        for part in decode(fields.pop("manifests"), list[Raw])
    )
    _refuse_ambiguous(entries, where)
    return Index(entries, fields)


def empty() -> Index:
    """Return the index of a new layout."""
    return Index((), {"schemaVersion": Raw(b"2"), "mediaType": Raw(msgspec.json.encode(INDEX))})


def add_entry(index: Index, descriptor: Descriptor) -> Index:
    """Return the index with an entry for the descriptor's digest; unchanged when there is one."""
    if any(entry.descriptor.digest == descriptor.digest for entry in index.entries):
        return index
    return msgspec.structs.replace(index, entries=(*index.entries, _entry(descriptor)))


def set_name(index: Index, name: str, descriptor: Descriptor) -> Index:
    """Return the index in which `name` refers to the descriptor alone.

    What had the name before stays listed: under its other names, else without one. An unnamed entry of the
    digest gets the name; an entry with another name stays. The descriptor's annotations are added to it.
    """
    if not _NAME.fullmatch(name):
        raise StoreError(
            f"{name[:100]!r} cannot be a name in the store",
            why="a name has 1 to 255 letters, digits and . _ : @ / + - and begins with a letter or digit",
            next="choose a plain name such as 'pulse-oximeter-1.4.0'",
        )
    wanted = descriptor.annotations | {REF_NAME: name}
    entries = _release_name(index.entries, name, descriptor.digest)
    holder = _position(entries, descriptor.digest, name)
    if holder is None:
        entries.append(_entry(msgspec.structs.replace(descriptor, annotations=wanted)))
    else:
        entries[holder] = _annotate(entries[holder], entries[holder].descriptor.annotations | wanted)
    return msgspec.structs.replace(index, entries=tuple(entries))


def _check_descriptor(descriptor: Descriptor, where: str) -> Descriptor:
    check_digest(descriptor.digest)
    if not 0 <= descriptor.size < 1 << 63:
        raise _make_error(where, f"{descriptor.digest} has the size {descriptor.size}")
    return descriptor


def _refuse_ambiguous(entries: tuple[Entry, ...], where: str) -> None:
    names: dict[str, str] = {}
    for entry in entries:
        digest = entry.descriptor.digest
        if entry.name and names.setdefault(entry.name, digest) != digest:
            raise _make_error(where, f"the name {entry.name[:100]!r} refers to two manifests")


def _make_error(where: str, why: str) -> StoreError:
    return StoreError(
        f"{where} is not a usable OCI index",
        why=why,
        next="restore the file from where the store was archived, or remove the store and build again",
    )


def _entry(descriptor: Descriptor) -> Entry:
    return Entry(descriptor, Raw(msgspec.json.encode(descriptor)))


def _annotate(entry: Entry, annotations: dict[str, str]) -> Entry:
    if annotations == entry.descriptor.annotations:
        return entry
    fields = msgspec.json.decode(entry.raw, type=dict[str, Raw])
    fields.pop("annotations", None)
    if annotations:
        fields["annotations"] = Raw(msgspec.json.encode(annotations))
    return Entry(
        msgspec.structs.replace(entry.descriptor, annotations=annotations), Raw(msgspec.json.encode(fields))
    )


def _release_name(entries: tuple[Entry, ...], name: str, digest: str) -> list[Entry]:
    """Remove the name from all other digests, and an unnamed entry when its digest has another entry."""
    kept: list[Entry] = []
    for entry in entries:
        if entry.name != name or entry.descriptor.digest == digest:
            kept.append(entry)
        elif all(other is entry or other.descriptor.digest != entry.descriptor.digest for other in entries):
            plain = {key: value for key, value in entry.descriptor.annotations.items() if key != REF_NAME}
            kept.append(_annotate(entry, plain))
    return kept


def _position(entries: list[Entry], digest: str, name: str) -> int | None:
    found = {
        entry.name: number
        for number, entry in enumerate(entries)
        if entry.descriptor.digest == digest and entry.name in {"", name}
    }
    return found.get(name, found.get(""))
