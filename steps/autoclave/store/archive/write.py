"""Write an image of the store as an archive that every engine can load.

The classic image store reads `manifest.json` (moby, image/tarexport/load.go), the containerd one `index.json`
(containerd, core/images/archive/importer.go); both find the same blobs.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator

import msgspec

from autoclave.errors import StoreError
from autoclave.model.digest import Digest
from autoclave.store.base import Store
from autoclave.store.image import CONFIG_LIMIT, check_layers, parse_config
from autoclave.store.oci import INDEX, MANIFEST, Descriptor, Manifest, parse_manifest

_IMAGE_NAME = "io.containerd.image.name"
_REF_NAME = "org.opencontainers.image.ref.name"
_END = bytes(2 * tarfile.BLOCKSIZE)


def write_archive(store: Store, digest: str, *, name: str) -> Iterator[bytes]:
    """Stream an archive for `docker load` in constant memory; the engine then knows the image as `name`.

    With an empty `name` the image has no name (a classic engine finds it by its id). Raises StoreError when
    anything is missing or damaged, before the archive's end, so that the engine refuses it.
    """
    raw = store.read(digest, limit=CONFIG_LIMIT)
    manifest = parse_manifest(raw, digest)
    config = parse_config(store.read(manifest.config.digest, limit=CONFIG_LIMIT), manifest.config.digest)
    check_layers(manifest, config.rootfs.diff_ids, digest)
    # The small files come first, for an engine that reads while it receives.
    yield _file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    yield _file("index.json", _index(manifest, digest, len(raw), name))
    yield _file("manifest.json", _docker_manifest(manifest, name))
    yield _folder("blobs") + _folder("blobs/sha256")
    yield _file(_path(digest), raw)
    blobs = {descriptor.digest: descriptor for descriptor in (manifest.config, *manifest.layers)}
    for descriptor in blobs.values():
        yield _header(_path(descriptor.digest), descriptor.size)
        yield from _exactly(store.chunks(descriptor.digest), descriptor)
        yield bytes(-descriptor.size % tarfile.BLOCKSIZE)
    yield _END


def _exactly(chunks: Iterable[bytes], descriptor: Descriptor) -> Iterator[bytes]:
    """Yield the chunks; raise StoreError when they do not have the size of the descriptor."""
    left = descriptor.size
    for chunk in chunks:
        left -= len(chunk)
        if left >= 0:
            yield chunk
    if left:
        raise StoreError(
            f"{descriptor.digest} has another size than in its manifest",
            why=f"{descriptor.size - left} bytes instead of {descriptor.size}",
            next="build the image again",
        )


def _index(manifest: Manifest, digest: str, size: int, name: str) -> bytes:
    entry: dict[str, object] = {
        "mediaType": manifest.media_type or MANIFEST,
        "digest": digest,
        "size": size,
    }
    if name:
        full = _full_name(name)
        entry["annotations"] = {_IMAGE_NAME: full, _REF_NAME: full.rpartition(":")[2]}
    return msgspec.json.encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})


def _docker_manifest(manifest: Manifest, name: str) -> bytes:
    image = {
        "Config": _path(manifest.config.digest),
        "RepoTags": [name] if name else None,
        "Layers": [_path(layer.digest) for layer in manifest.layers],
    }
    return msgspec.json.encode([image])


def _full_name(name: str) -> str:
    """Complete a name as Docker does: registry docker.io, folder library, tag latest."""
    path, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        path, tag = name, "latest"
    host, slash, _ = path.partition("/")
    if not slash:
        path = f"docker.io/library/{path}"
    elif "." not in host and ":" not in host and host != "localhost":
        path = f"docker.io/{path}"
    return f"{path}:{tag}"


def _path(digest: str) -> str:
    return f"blobs/sha256/{Digest(digest).hex}"


def _file(name: str, raw: bytes) -> bytes:
    return _header(name, len(raw)) + raw + bytes(-len(raw) % tarfile.BLOCKSIZE)


def _folder(name: str) -> bytes:
    return _header(name, 0, folder=True)


def _header(name: str, size: int, *, folder: bool = False) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o755 if folder else 0o644
    info.type = tarfile.DIRTYPE if folder else tarfile.REGTYPE
    # The GNU form writes sizes above 8 GiB in the header itself.
    return info.tobuf(tarfile.GNU_FORMAT)
