"""What BuildKit itself says that a build used, from the metadata file of buildx.

Read in BuildKit 0.34.2: solver/llbsolver/provenance/predicate.go (slsaMaterials), util/purl/image.go; in
buildx 0.38.2: build/provenance.go. Engines before BuildKit 0.11 (Docker 23) say nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec

from autoclave.engines.base import Used
from autoclave.errors import EngineError
from autoclave.model import purl

LARGEST = 64 << 20  # bytes of a metadata file
_KEY = "buildx.build.provenance"
_IMAGES = {"docker", "oci"}


class _Material(msgspec.Struct):
    uri: str
    digest: dict[str, str] = {}


def read(raw: bytes) -> tuple[Used, ...] | None:
    """Return what a build used; None when the file does not say. Raises EngineError for nonsense."""
    try:
        found: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
        statements = [each for key, each in found.items() if key == _KEY or key.startswith(f"{_KEY}/")]
        materials = [
            msgspec.convert(one, _Material)
            for each in statements
            for one in msgspec.convert(each, dict[str, Any]).get("materials", [])
        ]
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError, TypeError) as error:
        raise EngineError(
            "what the builder says about the build cannot be read",
            why=f"its metadata file: {error}",
            next="use a tested version of buildx (docs/step-image.md)",
        ) from error
    return tuple(map(_used, materials)) if statements else None


def _used(material: _Material) -> Used:
    digest = next((f"{name}:{value}" for name, value in sorted(material.digest.items())), "")
    image = purl.parse(material.uri)
    if image is None or image.type not in _IMAGES:
        return Used(name=material.uri, digest=digest.replace("sha1:", "gitCommit:"), is_image=False)
    name = "/".join(filter(None, (image.namespace, image.name)))
    version, pin = image.version or "", purl.qualifier_of(material.uri, "digest")
    if ":" in version or (pin and not version):  # by digest alone
        name = f"{name}@{version or pin}"
    elif version:
        name = f"{name}:{version}"
    return Used(name=name, digest=digest, is_image=True)
