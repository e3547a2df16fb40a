"""The files that an image shows: its layers laid over each other, as an engine does it.

Source: OCI image specification 1.1 (layer.md: whiteouts, opaque folders, attributes), POSIX.1-2017 pax.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Self, cast

from msgspec import Struct

from autoclave.errors import StoreError
from autoclave.model.digest import digest_of
from autoclave.store.archive.read import read_archive
from autoclave.store.base import Store
from autoclave.store.image import CONFIG_LIMIT, parse_config
from autoclave.store.oci import Descriptor, parse_manifest

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_CHUNK = 1 << 18
_ATTRIBUTE = "SCHILY.xattr."
_KINDS = {
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "link",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "pipe",
}


class Entry(Struct, frozen=True):
    """A path of an image: its kind, permissions, owner (`uid:gid`), and what it contains.

    `content` is the digest of a file, the target of a link, the numbers of a device; `attributes` are the
    extended ones, such as capabilities.
    """

    kind: str
    mode: int = 0o755
    owner: str = "0:0"
    content: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


Layer = Sequence[tuple[str, Entry | None]]
"""What a layer does to each path, in its order; None at `.wh.NAME` removes NAME."""

Files = Mapping[str, Entry]
"""The entries of an image by path, without a leading slash."""


def read_layer(chunks: Iterable[bytes]) -> tuple[str, Layer]:
    """Return the digest of a layer's uncompressed content, and what it does. Raises StoreError."""
    stream = _Stream(_decompress(chunks))
    found: list[tuple[str, Entry | None]] = []
    contents: dict[str, Entry] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header, bufsize=_CHUNK) as tar:
            for member in tar:
                path = _normalise(member.name)
                entry = _entry(tar, member, contents)
                if entry:
                    contents[path] = entry
                found.append((path, entry))
            _refuse_more(tar)
    except (tarfile.TarError, UnicodeError, ValueError, zlib.error) as error:
        raise StoreError("a layer of the image cannot be read", why=str(error)) from error
    return stream.digest, found


def overlay(layers: Iterable[Layer]) -> Files:
    """Return what a container sees of these layers, lowest first."""
    files: dict[str, Entry] = {}
    for layer in layers:
        for path, entry in layer:  # what a layer removes is below it, whatever the order in its archive
            if entry is None:
                _remove(files, path)
        for path, entry in layer:
            if entry is not None:
                _add(files, path, entry)
    return files


def files_of(store: Store, digest: str) -> Files:
    """Return the files of an image of the store. Raises StoreError."""
    manifest = parse_manifest(store.read(digest, limit=CONFIG_LIMIT), digest)
    return overlay(read_layer(store.chunks(each.digest))[1] for each in manifest.layers)


def read_file(chunks: Iterable[bytes], digest: str, *, limit: int) -> bytes | None:
    """Return the file of a layer that has a digest; None when it is not in it, or larger than `limit`."""
    with tarfile.open(
        fileobj=_Stream(_decompress(chunks)), mode="r|", tarinfo=_Header, bufsize=_CHUNK
    ) as tar:
        for member in tar:
            source = tar.extractfile(member) if member.isreg() and member.size <= limit else None
            raw = source.read() if source else b""
            if source and digest_of(raw) == digest:
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

    def write(self, chunks: Iterable[bytes], *, media_type: str, expect: str = "") -> Descriptor:
        """Read one file of the archive, and check its digest."""
        source = _Hashed(chunks)
        head = next(iter(source), b"")
        if head[:1] == b"{":
            raw = head + b"".join(source)
            self._documents[source.digest] = raw[: CONFIG_LIMIT + 1]
        else:
            diff_id, layer = read_layer(_chain(head, source))
            for _ in source:
                pass
            self.layers[diff_id] = layer
        if expect not in {"", source.digest}:
            raise StoreError("the image archive is damaged", why=f"a file has the digest {source.digest}")
        return Descriptor(media_type=media_type, digest=source.digest, size=source.size)

    def read(self, digest: str, *, limit: int = CONFIG_LIMIT) -> bytes:
        """Return a document of the archive."""
        raw = self._documents.get(digest)
        if raw is None or len(raw) > limit:
            raise StoreError(f"{digest} is not in the engine's archive, or too large")
        return raw


class _Hashed:
    """Chunks, with the digest and the size of those that were read."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._sha256 = hashlib.sha256()
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        self._sha256.update(chunk)
        self.size += len(chunk)
        return chunk

    @property
    def digest(self) -> str:
        return f"sha256:{self._sha256.hexdigest()}"


class _Stream(io.RawIOBase):
    """Chunks as a file for tarfile."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._source = _Hashed(chunks)
        self._left = memoryview(b"")

    @property
    def digest(self) -> str:
        return self._source.digest

    def read(self, size: int = -1) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            if not self._left:
                self._left = memoryview(next(self._source, b""))
                if not self._left:
                    break
            piece, self._left = self._left[:size], self._left[size:]
            size -= len(piece)
            parts.append(bytes(piece))
        return b"".join(parts)


class _Header(tarfile.TarInfo):
    """A header; a damaged one is an error, where tarfile alone would take it for the end."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tar)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise StoreError(
                "a layer of the image cannot be read", why=f"a damaged header: {error}"
            ) from error


def _refuse_more(tar: tarfile.TarFile) -> None:
    """Consume the rest, which must be zeros: another reader could find a second archive there."""
    while rest := cast(IO[bytes], tar.fileobj).read(_CHUNK):
        if any(rest):
            raise StoreError("a layer of the image cannot be read", why="there is data after its end")


def _entry(tar: tarfile.TarFile, member: tarfile.TarInfo, contents: Mapping[str, Entry]) -> Entry | None:
    if member.name.rpartition("/")[2].startswith(_WHITEOUT):
        return None
    if member.islnk():
        target = _normalise(member.linkname)
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
        content=_content(tar, member),
        attributes=tuple(attributes),
    )


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    if member.issym():
        return member.linkname
    if member.isdev():
        return f"{member.devmajor}:{member.devminor}"
    source: Any = tar.extractfile(member) if member.isreg() else None
    if source is None:
        return ""
    sha256 = hashlib.sha256()
    while chunk := source.read(_CHUNK):
        sha256.update(chunk)
    return f"sha256:{sha256.hexdigest()}"


def _normalise(name: str) -> str:
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise StoreError(f"a layer of the image names {name[:200]!r}", why="it leaves the image")
    return "/".join(parts)


def _remove(files: dict[str, Entry], path: str) -> None:
    folder, _, name = path.rpartition("/")
    if name == _OPAQUE:
        _clear(files, folder)
    elif not name.startswith(_WHITEOUT * 2):  # other marks of an engine's own
        hidden = f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/")
        files.pop(hidden, None)
        _clear(files, hidden)


def _add(files: dict[str, Entry], path: str, entry: Entry) -> None:
    parent = path.rpartition("/")[0]
    if parent and (parent not in files or files[parent].kind != "folder"):
        _add(files, parent, Entry("folder"))
    before = files.get(path)
    if before is not None and before.kind == "folder" and entry.kind != "folder":
        _clear(files, path)
    files[path] = entry


def _clear(files: dict[str, Entry], folder: str) -> None:
    """Remove all that is below a folder."""
    start = f"{folder}/" if folder else ""
    for path in [each for each in files if each.startswith(start) and each]:
        del files[path]


def _decompress(chunks: Iterable[bytes]) -> Iterator[bytes]:
    source = iter(chunks)
    head = next(source, b"")
    if head[:4] == _ZSTD:
        raise StoreError(
            "a layer of the image is compressed with zstd, which cannot be read here",
            next="let the engine keep layers uncompressed or with gzip",
        )
    if head[:2] != _GZIP:
        yield from _chain(head, source)
        return
    inflater = zlib.decompressobj(wbits=31)
    for chunk in _chain(head, source):
        left = chunk
        while left:
            yield inflater.decompress(left, _CHUNK * 16)
            left = inflater.unconsumed_tail
            if inflater.eof:
                left = inflater.unused_data
                if left:
                    inflater = zlib.decompressobj(wbits=31)
    if not inflater.eof:
        raise StoreError("a layer of the image is truncated")


def _chain(head: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from rest
