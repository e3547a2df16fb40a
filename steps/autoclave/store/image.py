"""An image by its configuration: the facts that gates judge, and that records are linked by.

Source: OCI image specification 1.1 (config.md); HEALTHCHECK as Docker writes it in `config.Healthcheck`.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from autoclave.errors import StoreError
from autoclave.model.digest import check_digest
from autoclave.store.base import Store
from autoclave.store.oci import Manifest, parse_manifest

CONFIG_LIMIT = 4 * 1024 * 1024


class ImageIdentity(Struct, frozen=True, kw_only=True):
    """An image by its configuration: `digest` of the manifest, `config` of the configuration.

    `diff_ids` are the digests of the uncompressed layers, lowest first. `user` is as written (`name`, `1000`,
    `1000:1000` or empty, which means root).
    """

    digest: str
    config: str
    diff_ids: tuple[str, ...]
    user: str = ""
    labels: dict[str, str] = {}
    working_dir: str = ""
    has_healthcheck: bool = False
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    os: str = ""
    architecture: str = ""


class _Healthcheck(Struct, rename="pascal"):
    test: list[str] | None = None


class _Run(Struct, rename="pascal"):
    user: str | None = None
    labels: dict[str, str] | None = None
    working_dir: str | None = None
    healthcheck: _Healthcheck | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None


class _RootFs(Struct):
    type: str
    diff_ids: list[str]


class ImageConfig(Struct):
    """An image configuration, as far as it is used here."""

    rootfs: _RootFs
    config: _Run | None = None
    os: str = ""
    architecture: str = ""


def parse_config(raw: bytes, digest: str) -> ImageConfig:
    """Decode an image configuration; raise StoreError naming `digest` when it is not one or has no layers."""
    try:
        config = msgspec.json.decode(raw, type=ImageConfig)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _make_error(digest, str(error)) from error
    for diff_id in config.rootfs.diff_ids:
        check_digest(diff_id)
    if config.rootfs.type != "layers":
        raise _make_error(digest, "its rootfs has no layers")
    return config


def check_layers(manifest: Manifest, diff_ids: list[str], digest: str) -> None:
    """Raise StoreError unless the layers can be those that the configuration names, in order."""
    layers = manifest.layers
    for descriptor in (manifest.config, *layers):
        check_digest(descriptor.digest)
        if not 0 <= descriptor.size < 1 << 62:
            raise _make_error(digest, f"{descriptor.digest} has the size {descriptor.size}")
    if len(layers) != len(diff_ids):
        raise _make_error(digest, f"the manifest has {len(layers)} layers, its configuration {len(diff_ids)}")
    for layer, diff_id in zip(layers, diff_ids, strict=True):
        uncompressed = layer.media_type.endswith(".tar")
        if uncompressed and layer.digest != diff_id:
            raise _make_error(digest, f"layer {layer.digest} is not {diff_id}, which its configuration names")


def read_identity(store: Store, digest: str) -> ImageIdentity:
    """Read and verify manifest and configuration of an image.

    Raises StoreError when one of them is missing, damaged, or does not match the other.
    """
    manifest = parse_manifest(store.read(digest, limit=CONFIG_LIMIT), digest)
    if manifest.subject is not None:
        raise _make_error(digest, "it is a record about another image")
    config = parse_config(store.read(manifest.config.digest, limit=CONFIG_LIMIT), manifest.config.digest)
    check_layers(manifest, config.rootfs.diff_ids, digest)
    run = config.config or _Run()
    test = run.healthcheck.test if run.healthcheck else None
    return ImageIdentity(
        digest=digest,
        config=manifest.config.digest,
        diff_ids=tuple(config.rootfs.diff_ids),
        user=run.user or "",
        labels=run.labels or {},
        working_dir=run.working_dir or "",
        has_healthcheck=bool(test) and test != ["NONE"],
        entrypoint=tuple(run.entrypoint or ()),
        cmd=tuple(run.cmd or ()),
        os=config.os,
        architecture=config.architecture,
    )


def is_built_on(upper: ImageIdentity, lower: ImageIdentity) -> bool:
    """Return whether the upper image begins with all layers of the lower one, which has at least one."""
    count = len(lower.diff_ids)
    return count > 0 and upper.diff_ids[:count] == lower.diff_ids


def _make_error(digest: str, why: str) -> StoreError:
    return StoreError(f"{digest} is not a usable image", why=why, next="build the image again")
