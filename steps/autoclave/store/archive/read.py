"""Between a container engine's archive (`docker save`, `docker load`) and the store: byte-exact, one pass.

Every file of an archive is identified by the digest of its content: the names in it prove nothing.
Engines write two forms (moby, image/tarexport/save.go; containerd, core/images/archive/exporter.go):

- up to Docker 24: `<hex>.json`, `<id>/layer.tar` (a link when two layers are equal), `manifest.json`;
- since Docker 25: an OCI layout with `blobs/sha256/<hex>`, and `manifest.json` as well. Its OCI manifest is
  the image itself with the containerd image store, and made for the archive with the classic one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from autoclave.errors import StoreError
from autoclave.model.digest import check_digest, digest_of
from autoclave.store.archive.tar_stream import Kind, members
from autoclave.store.base import Store
from autoclave.store.image import (
    CONFIG_LIMIT,
    check_layers,
    parse_config,
)
from autoclave.store.oci import CONFIG, LAYER, MANIFEST, Descriptor, Manifest, encode, parse_manifest

_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})")
_BYTES = "application/octet-stream"
_SMALL_FILE = 64 * 1024
_SMALL_FILES = 32 * 1024 * 1024


class _Shape(Struct):
    """Which of the three documents a JSON file is."""

    manifests: Raw | UnsetType = UNSET
    layers: Raw | UnsetType = UNSET
    rootfs: Raw | UnsetType = UNSET


class _Platform(Struct):
    os: str = ""


class _Choice(Struct, rename="camel"):
    media_type: str
    digest: str
    platform: _Platform | None = None


class _Choices(Struct):
    manifests: list[_Choice]


def read_archive(chunks: Iterable[bytes], store: Store, *, image_id: str) -> Descriptor:
    """Read the image of an engine's archive into the store; return its manifest (not yet named or listed).

    `image_id` is what the engine calls the image it built: the digest of its configuration (then the manifest
    is built here, the same from every engine), or of its manifest or index (then the manifest is the engine's
    own). Raises StoreError when the archive is malformed or hostile, or does not have exactly that image with
    all its layers. What `chunks` raises passes through unchanged.
    """
    files = _Files(store)
    for member, content in members(chunks):
        if member.kind is Kind.FILE:
            files.add(member.name, member.size, content)
    if check_digest(image_id) not in files.sizes:
        raise _other_image(image_id)
    raw = files.json(image_id)
    shape = _shape(raw, image_id)
    if shape == "index":
        image_id = _choose(raw, image_id, files)
        raw = files.json(image_id)
        shape = _shape(raw, image_id)
    if shape == "manifest":
        return _keep(raw, files, store)
    if shape == "config":
        return _build(raw, image_id, files, store)
    raise _other_image(image_id)


class _Files:
    """The files of the archive by digest: small ones in memory, others in the store already."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._small: dict[str, bytes] = {}
        self._room = _SMALL_FILES
        self.sizes: dict[str, int] = {}

    def add(self, name: str, size: int, content: Iterator[bytes]) -> None:
        blob = _BLOB.fullmatch(name)
        expect = f"sha256:{blob[1]}" if blob else ""
        if size <= min(_SMALL_FILE, self._room):
            raw = b"".join(content)
            digest = digest_of(raw)
            if expect not in {"", digest}:
                raise StoreError(
                    "the image archive is damaged",
                    why=f"{name} has the digest {digest}",
                    next="repeat the build",
                )
            self._small[digest] = raw
            self._room -= size
        else:
            digest = self._store.write(content, media_type=_BYTES, expect=expect).digest
        self.sizes[digest] = size

    def json(self, digest: str) -> bytes:
        if digest in self._small:
            return self._small[digest]
        return self._store.read(digest, limit=CONFIG_LIMIT)

    def keep(self, descriptor: Descriptor) -> None:
        """Check that a file of the archive is in the store, with the size of its descriptor."""
        digest = check_digest(descriptor.digest)
        if self.sizes.get(digest) != descriptor.size:
            raise StoreError(
                "the engine's archive does not have the whole image",
                why=f"{digest} ({descriptor.media_type}, {descriptor.size} bytes) is not in it",
                next="repeat the build; if a layer is stored elsewhere, rebuild without it",
            )
        if digest in self._small:
            self._store.write([self._small[digest]], media_type=descriptor.media_type, expect=digest)

    def manifest_of(self, config: str) -> bytes:
        """Return the manifest in the archive that has this configuration, or nothing."""
        for raw in self._small.values():
            if _shape(raw, "") == "manifest" and parse_manifest(raw, config).config.digest == config:
                return raw
        return b""


def _build(raw: bytes, digest: str, files: _Files, store: Store) -> Descriptor:
    """Build the manifest from the configuration: layers uncompressed, so that they are its diff_ids."""
    diff_ids = parse_config(raw, digest).rootfs.diff_ids
    if not all(diff_id in files.sizes for diff_id in diff_ids) and (own := files.manifest_of(digest)):
        return _keep(own, files, store)
    manifest = Manifest(
        schema_version=2,
        media_type=MANIFEST,
        config=Descriptor(media_type=CONFIG, digest=digest, size=len(raw)),
        layers=[
            Descriptor(media_type=LAYER, digest=diff_id, size=files.sizes.get(diff_id, -1))
            for diff_id in diff_ids
        ],
    )
    return _keep(encode(manifest), files, store)


def _keep(raw: bytes, files: _Files, store: Store) -> Descriptor:
    """Keep a manifest byte for byte, after its configuration and layers."""
    digest = digest_of(raw)
    manifest = parse_manifest(raw, digest)
    config = parse_config(files.json(manifest.config.digest), manifest.config.digest)
    check_layers(manifest, config.rootfs.diff_ids, digest)
    for descriptor in (manifest.config, *manifest.layers):
        files.keep(descriptor)
    return store.write([raw], media_type=manifest.media_type or MANIFEST, expect=digest)


def _choose(raw: bytes, digest: str, files: _Files) -> str:
    """Return the one image of an index that is in the archive; attestations are not images.

    BuildKit lists attestations next to the image, with the platform `unknown/unknown`.
    """
    try:
        choices = msgspec.json.decode(raw, type=_Choices).manifests
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"{digest} is not an OCI index", why=str(error), next="repeat the build") from error
    images = {
        check_digest(choice.digest)
        for choice in choices
        if choice.digest in files.sizes and (choice.platform is None or choice.platform.os != "unknown")
    }
    if len(images) != 1:
        raise StoreError(
            f"the index {digest} does not name one image",
            why=f"the engine's archive has {len(images)} of its {len(choices)} manifests as images",
            next="build for one platform",
        )
    return images.pop()


def _shape(raw: bytes, digest: str) -> str:
    """Return which document this is: "index", "manifest", "config" or none; two at once are refused."""
    try:
        document = msgspec.json.decode(raw, type=_Shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    shapes = [
        name
        for name, field in (
            ("index", document.manifests),
            ("manifest", document.layers),
            ("config", document.rootfs),
        )
        if field is not UNSET
    ]
    if len(shapes) > 1:
        raise StoreError(
            f"{digest} is ambiguous",
            why=f"it can be read as {' and as '.join(shapes)}",
            next="do not use this image; find out what wrote it",
        )
    return shapes[0] if shapes else ""


def _other_image(image_id: str) -> StoreError:
    return StoreError(
        "the engine saved another image than it built",
        why=f"nothing in its archive is the manifest, index or configuration {image_id}",
        next="repeat the build; if it happens again, check which engine DOCKER_HOST names",
    )
