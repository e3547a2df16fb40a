"""The files that an image shows, read from its layers in the store or in an engine's archive.

Source: OCI image specification 1.1 (layer.md: whiteouts, attributes), POSIX.1-2017 pax.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from autoclave.errors import StoreError
from autoclave.model.digest import digest_of
from autoclave.store.archive.file_tar import DamagedTar, Hashed, Members, chain, decompress, normalise
from autoclave.store.archive.overlay import WHITEOUT, Entry, Files, Layer, overlay
from autoclave.store.archive.read import read_archive
from autoclave.store.base import Store
from autoclave.store.image import CONFIG_LIMIT, parse_config
from autoclave.store.oci import Descriptor, parse_manifest

_LARGEST_TEXT = 512 << 20  # characters of the paths and links of one layer
_LARGEST_DOCUMENTS = 64 << 20  # bytes of an archive's manifests, indexes and configurations
_MOST = 2_000_000  # paths of all layers
_ATTRIBUTE = "SCHILY.xattr."
_KINDS = {
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "link",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "pipe",
}


Watch = Callable[[str, int], Callable[[bytes], object] | None]
"""Called with the path and the size of each file; returns what is called with the pieces of its content."""


def read_layer(chunks: Iterable[bytes], watch: Watch | None = None) -> tuple[str, Layer]:
    """Return the digest of a layer's uncompressed content, and what it does. Raises StoreError."""
    found: list[tuple[str, Entry | None]] = []
    contents: dict[str, Entry] = {}
    room = _LARGEST_TEXT
    with _translate_errors():
        members = Members(decompress(chunks))
        for member, content in members:
            path = normalise(member.name)
            see = watch(path, member.size) if watch and member.isreg() else None
            entry = _entry(member, _show(content, see) if see else content, contents)
            room -= len(path) + len(entry.content if entry else "")
            if room < 0:
                raise DamagedTar(f"its paths have more than {_LARGEST_TEXT:,} characters")
            if entry:
                contents[path] = entry
            found.append((path, entry))
        return members.digest, found


def files_of(store: Store, digest: str) -> Files:
    """Return the files of an image of the store. Raises StoreError."""
    manifest = parse_manifest(store.read(digest, limit=CONFIG_LIMIT), digest)
    return overlay(read_layer(store.chunks(each.digest))[1] for each in manifest.layers)


def read_file(chunks: Iterable[bytes], digest: str, *, limit: int) -> bytes | None:
    """Return the file of a layer that has a digest; None when it is not in it, or larger than `limit`.

    Raises StoreError.
    """
    with _translate_errors():
        for member, content in Members(decompress(chunks)):
            if member.isreg() and member.size <= limit:
                raw = b"".join(content)
                if digest_of(raw) == digest:
                    return raw
    return None


def read_files(archive: Iterable[bytes], image_id: str, *, below: int) -> tuple[Files, Files]:
    """Return the files of the first `below` layers of an engine's archive, and those of all its layers.

    Nothing is written: the archive passes through once. Raises StoreError when it does not have that image.
    """
    reader = _Reader()
    descriptor = read_archive(archive, reader, image_id=image_id)  # type: ignore[arg-type]
    manifest = parse_manifest(reader.read(descriptor.digest), descriptor.digest)
    config = parse_config(reader.read(manifest.config.digest), manifest.config.digest)
    missing = [each for each in config.rootfs.diff_ids if each not in reader.layers]
    if missing:
        raise StoreError(f"the layer {missing[0]} is not in the engine's archive", next="repeat the step")
    layers = [reader.layers[each] for each in config.rootfs.diff_ids]
    return overlay(layers[:below]), overlay(layers)


class _Reader:
    """A store for one reading of an archive: of layers it keeps what they do, of documents their bytes."""

    def __init__(self) -> None:
        self.layers: dict[str, Layer] = {}
        self._documents: dict[str, bytes] = {}
        self._room = _LARGEST_DOCUMENTS
        self._paths = _MOST

    def write(self, chunks: Iterable[bytes], *, media_type: str, expect: str = "") -> Descriptor:
        """Read one file of the archive, and check its digest."""
        source = Hashed(filter(None, chunks))
        head = next(source, b"")
        if head[:1] == b"{":
            raw = self._take(chain(head, source))
            self._documents[source.digest] = raw
        else:
            diff_id, layer = read_layer(chain(head, source))
            for _ in source:
                pass
            self._paths -= len(layer)
            if self._paths < 0:
                raise StoreError("the image cannot be read", why=f"it has more than {_MOST:,} paths")
            self.layers[diff_id] = layer
        if expect not in {"", source.digest}:
            raise StoreError("the image archive is damaged", why=f"a file has the digest {source.digest}")
        return Descriptor(media_type=media_type, digest=source.digest, size=source.size)

    def _take(self, chunks: Iterable[bytes]) -> bytes:
        parts = []
        for chunk in chunks:
            self._room -= len(chunk)
            if self._room < 0:
                raise StoreError(
                    "the image archive is refused",
                    why=f"its documents have more than {_LARGEST_DOCUMENTS:,} bytes",
                )
            parts.append(chunk)
        return b"".join(parts)

    def read(self, digest: str, *, limit: int = CONFIG_LIMIT) -> bytes:
        """Return a document of the archive."""
        raw = self._documents.get(digest)
        if raw is None or len(raw) > limit:
            raise StoreError(f"{digest} is not in the engine's archive, or too large")
        return raw


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except DamagedTar as error:
        raise StoreError(
            "a layer of the image cannot be read",
            why=str(error),
            next="build the image again, with layers that are uncompressed or compressed with gzip",
        ) from error


def _show(content: Iterator[bytes], see: Callable[[bytes], object]) -> Iterator[bytes]:
    for piece in content:
        see(piece)
        yield piece


def _entry(member: tarfile.TarInfo, content: Iterator[bytes], contents: Mapping[str, Entry]) -> Entry | None:
    if member.name.rpartition("/")[2].startswith(WHITEOUT):
        return None
    if member.islnk():
        target = normalise(member.linkname)
        return contents.get(target) or Entry("file", content=f"the file {target} of a lower layer")
    attributes = sorted(
        (key.removeprefix(_ATTRIBUTE), digest_of(value.encode("utf-8", "surrogateescape")))
        for key, value in member.pax_headers.items()
        if key.startswith(_ATTRIBUTE)
    )
    return Entry(
        kind=_KINDS.get(member.type, "file"),
        mode=member.mode & 0o7777 if not member.issym() else 0o777,
        owner=f"{member.uid}:{member.gid}",
        content=_content(member, content),
        attributes=tuple(attributes),
    )


def _content(member: tarfile.TarInfo, content: Iterator[bytes]) -> str:
    if member.issym():
        return member.linkname
    if member.isdev():
        return f"{member.devmajor}:{member.devminor}"
    if not member.isreg():
        return ""
    read = Hashed(content)
    for _ in read:
        pass
    return read.digest
