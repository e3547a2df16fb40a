"""Read the layers of an image: its package databases, what became of them, and files of no package."""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

from autoclave.inventory.history import REPOSITORIES, History
from autoclave.inventory.losses import find_losses
from autoclave.inventory.unowned import find_unowned
from autoclave.model.facts import Finding, Kind
from autoclave.model.inventory import Contents
from autoclave.store.archive.layers import read_layer
from autoclave.store.archive.overlay import Files
from autoclave.store.base import Store
from autoclave.store.image import CONFIG_LIMIT
from autoclave.store.oci import Manifest, parse_manifest


class Inventory(Struct, frozen=True):
    """What the layers say: the contents for the scan's facts, and the digest of each layer's files."""

    contents: Contents
    layers: dict[str, Files]

    def identify(self, finding: Finding) -> Finding:
        """Return a secret with the digest of the file in which it was found; any other finding as it is."""
        if finding.kind is not Kind.SECRET:
            return finding
        entry = self.layers.get(finding.layer, {}).get(finding.target.lstrip("/"))
        return msgspec.structs.replace(finding, fingerprint=entry.content) if entry else finding


class _Step(Struct):
    created_by: str = ""
    empty_layer: bool = False


class _Config(Struct):
    history: list[_Step] | None = None


def read(store: Store, digest: str) -> Inventory:
    """Read all layers of an image of a store, lowest first. Raises StoreError."""
    manifest = parse_manifest(store.read(digest, limit=CONFIG_LIMIT), digest)
    commands = _read_commands(store, manifest)
    history = History()
    layers: dict[str, Files] = {}
    for blob, command in zip(manifest.layers, commands, strict=True):
        diff_id, layer = read_layer(store.chunks(blob.digest), history.watch)
        history.add(layer, command)
        layers[diff_id] = {path: entry for path, entry in layer if entry}
    unowned = find_unowned(history)
    contents = Contents(
        databases=find_losses(history),
        releases=find_releases(history),
        unowned=None if unowned is None else len(unowned),
        unowned_files=tuple((unowned or [])[:SHOWN]),
    )
    return Inventory(contents, layers)


SHOWN = 50
"""How many files that belong to no package a record lists; all are counted."""


_RELEASE = re.compile(rb"(?:https?|ftp)://[0-9A-Za-z.-]+/alpine/v?([0-9A-Za-z_.-]+)/")


def find_releases(history: History) -> tuple[str, ...]:
    """Return the releases of Alpine whose repositories the image names: scanners judge by them, too."""
    body = history.body(REPOSITORIES) or b""
    return tuple(sorted({each.decode() for each in _RELEASE.findall(body)}))


def _read_commands(store: Store, manifest: Manifest) -> list[str]:
    """Return the command that made each layer, as the configuration says; empty where it does not."""
    raw = store.read(manifest.config.digest, limit=CONFIG_LIMIT)
    try:
        found = msgspec.json.decode(raw, type=_Config).history or []
    except msgspec.DecodeError:
        found = []
    made = [each.created_by for each in found if not each.empty_layer]
    return made if len(made) == len(manifest.layers) else [""] * len(manifest.layers)
