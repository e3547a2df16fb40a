"""An image of an OCI layout, as scanners are given it: `DIR@sha256:…`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from autoclave.errors import StoreError
from autoclave.model.digest import Digest, check_digest, digest_of
from autoclave.store.image import CONFIG_LIMIT
from autoclave.store.oci import INDEX, MANIFEST, parse_manifest


def split(location: str) -> tuple[Path, str]:
    """Split `DIR@sha256:…` at its last '@'; raise StoreError when the end is not a digest."""
    folder, _, digest = location.rpartition("@")
    return Path(folder), check_digest(digest)


def read_config_digest(layout: Path, digest: str) -> str:
    """Return the config digest of an image manifest in a layout: what scanners call the image id.

    Raises StoreError when the manifest is missing, has another digest, or is an index.
    """
    return parse_manifest(_read_manifest(layout, digest), digest).config.digest


def list_layers(layout: Path, digest: str) -> tuple[str, ...]:
    """Return the digests of an image's layers, the lowest first. Raises as `read_config_digest` does."""
    return tuple(each.digest for each in parse_manifest(_read_manifest(layout, digest), digest).layers)


def write_single(layout: Path, digest: str, folder: Path) -> None:
    """Make `folder` a layout of this image alone, with the blobs of another layout behind a link.

    For scanners that cannot be told which of several images they are to scan.
    """
    raw = _read_manifest(layout, digest)
    folder.mkdir()
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    listed = {"mediaType": MANIFEST, "digest": digest, "size": len(raw)}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [listed]}
    (folder / "index.json").write_bytes(msgspec.json.encode(index))
    (folder / "blobs").symlink_to((layout / "blobs").absolute(), target_is_directory=True)


def _read_manifest(layout: Path, digest: str) -> bytes:
    try:
        with (layout / "blobs" / "sha256" / Digest(digest).hex).open("rb") as file:
            raw = file.read(CONFIG_LIMIT + 1)
    except OSError as error:
        raise StoreError(
            f"{digest} is not in {layout}", why=str(error), next="build the image first"
        ) from error
    if len(raw) > CONFIG_LIMIT:
        raise StoreError(
            f"the manifest {digest} is too large",
            why=f"it has more than {CONFIG_LIMIT:,} bytes",
            next="check that the digest names an image, not a layer",
        )
    if digest_of(raw) != digest:
        raise StoreError(f"{digest} is damaged in {layout}", next="build the image again")
    return raw
