"""What an attacker with access to a store's files could do to its records."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

PREDICATE = "in-toto.io/predicate-type"
VULNS = "https://in-toto.io/attestation/vulns/v0.2"


def blob(store: Path, digest: str) -> Path:
    """Return the file of a blob."""
    return store / "blobs" / "sha256" / digest.removeprefix("sha256:")


def put(store: Path, raw: bytes) -> tuple[str, int]:
    """Add a blob; return its digest and size."""
    digest = "sha256:" + hashlib.sha256(raw).hexdigest()
    blob(store, digest).write_bytes(raw)
    return digest, len(raw)


def load(store: Path) -> dict[str, Any]:
    """Read the index."""
    index: dict[str, Any] = json.loads((store / "index.json").read_text("utf-8"))
    return index


def save(store: Path, index: dict[str, Any]) -> None:
    """Write the index."""
    (store / "index.json").write_text(json.dumps(index), "utf-8")


def record(index: dict[str, Any], predicate_type: str) -> dict[str, Any]:
    """Return the index entry of a record."""
    found = [
        each for each in index["manifests"] if each.get("annotations", {}).get(PREDICATE) == predicate_type
    ]
    entry: dict[str, Any] = found[-1]
    return entry


def envelope(store: Path, predicate_type: str) -> Path:
    """Return the file of a record's envelope."""
    manifest = json.loads(blob(store, record(load(store), predicate_type)["digest"]).read_bytes())
    return blob(store, manifest["layers"][0]["digest"])


def replace_envelope(
    store: Path, predicate_type: str, raw: bytes, *, subject: dict[str, Any] | None = None
) -> None:
    """Put another envelope in a record's place, with every digest that depends on it corrected."""
    index = load(store)
    entry = record(index, predicate_type)
    manifest = json.loads(blob(store, entry["digest"]).read_bytes())
    manifest["layers"][0]["digest"], manifest["layers"][0]["size"] = put(store, raw)
    if subject:
        manifest["subject"] = subject
        hints = {name for name in entry["annotations"] if name.endswith(".subject")}
        entry["annotations"].update(dict.fromkeys(hints, subject["digest"]))
    entry["digest"], entry["size"] = put(store, json.dumps(manifest).encode())
    save(store, index)


def with_one_byte_changed(raw: bytes) -> bytes:
    """Change one byte of what an envelope says."""
    opened = json.loads(raw)
    payload = bytearray(base64.b64decode(opened["payload"]))
    at = payload.find(b'"passed":true')
    payload[at + 2] ^= 1
    opened["payload"] = base64.b64encode(bytes(payload)).decode()
    return json.dumps(opened).encode()
