"""The manifest of an image in a layout, as scanners need it."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave.errors import StoreError
from autoclave.model.digest import Digest, digest_of
from autoclave.scanners import images
from autoclave.store.image import CONFIG_LIMIT


def write(root: Path, raw: bytes, digest: str = "") -> str:
    folder = root / "blobs" / "sha256"
    folder.mkdir(parents=True)
    digest = digest or digest_of(raw)
    (folder / Digest(digest).hex).write_bytes(raw)
    return digest


def test_a_manifest_that_is_too_large_is_not_called_damaged(tmp_path: Path) -> None:
    digest = write(tmp_path, b"{" + b" " * CONFIG_LIMIT)
    with pytest.raises(StoreError) as caught:
        images.read_config_digest(tmp_path, digest)
    assert caught.value.what == f"the manifest {digest} is too large"
    assert caught.value.why == "it has more than 4,194,304 bytes"


def test_a_manifest_of_another_digest_is_damaged(tmp_path: Path) -> None:
    digest = write(tmp_path, b"{}", digest_of(b"another"))
    with pytest.raises(StoreError) as caught:
        images.list_layers(tmp_path, digest)
    assert caught.value.what == f"{digest} is damaged in {tmp_path}"
