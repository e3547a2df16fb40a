"""What is in a bundle: `autoclave/bundle.json` names every other file and blob, with digest or size.

It comes first, so that a reader knows of each byte that follows whether it belongs there. Nothing of it is
believed: whoever reads a bundle makes the head anew from what is signed, and compares the two.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from autoclave.errors import BundleError
from autoclave.model.text import matching
from autoclave.store.layout.folder import INDEX_FILE, MARKER_FILE

FORMAT = "urn:autoclave:bundle:v1"
FIRST = "autoclave/bundle.json"
TRUST = "autoclave/trust.toml"
DEVICE = "autoclave/device.toml"
POLICY = "autoclave/policy.json"
VERIFIER = "autoclave/verify.py"
RELEASE = "autoclave/release.json"
BLOBS = "blobs/sha256/"

MOST_MEMBERS = 200_000
LARGEST_FILE = 64 * 1024 * 1024  # bytes of any file that is not a blob

FILES = frozenset({MARKER_FILE, INDEX_FILE, TRUST, DEVICE, POLICY, RELEASE, VERIFIER})
COPIES = {DEVICE: "autoclave.toml", POLICY: "policy.json", RELEASE: "release.json", VERIFIER: "verify.py"}
"""Files that are copies, for people, of what the newest verification record holds: by its title there."""

_MOST_BYTES = 1 << 50

Digest = Annotated[
    str,
    matching(
        "sha256:[0-9a-f]{64}", says="sha256: and 64 digits of 0 to 9 and a to f", example="sha256:" + "0" * 64
    ),
]


class Bundle(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The head of a bundle. It contains nothing that the rest does not show: every byte of it can be checked.

    `seals` are the newest seals by image. `files` maps names to digests, `blobs` digests to sizes.
    """

    format: str
    device: str
    version: str
    images: dict[str, Digest]
    seals: dict[str, Digest]
    files: dict[str, Digest]
    blobs: dict[Digest, Annotated[int, Meta(ge=0)]]


def encode(bundle: Bundle) -> bytes:
    """Return the bytes of the head."""
    return msgspec.json.encode(bundle, order="sorted")


def parse(raw: bytes) -> Bundle:
    """Decode a head. Raises BundleError."""
    try:
        bundle = msgspec.json.decode(raw, type=Bundle)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refusal(f"{FIRST}: {error}") from error
    if bundle.format != FORMAT:
        raise refusal(f"it is of the format {bundle.format[:100]!r}, and this Autoclave reads {FORMAT}")
    if strange := sorted(bundle.files.keys() - FILES):
        raise refusal(f"{strange[0][:200]!r} is not a file of a bundle")
    if lacking := sorted(FILES - bundle.files.keys()):
        raise refusal(f"it has no {lacking[0]}")
    if not bundle.images:
        raise refusal("it contains no image")
    if len(bundle.blobs) + len(bundle.files) >= MOST_MEMBERS or sum(bundle.blobs.values()) > _MOST_BYTES:
        raise refusal("it announces more than a bundle can hold")
    if encode(bundle) != raw:
        raise refusal(f"{FIRST} is not as Autoclave writes it")
    return bundle


def order(bundle: Bundle) -> list[str]:
    """Return the names of what follows the head, in the one order that they can have."""
    return [
        *sorted(bundle.files),
        *(BLOBS + digest.removeprefix("sha256:") for digest in sorted(bundle.blobs)),
    ]


def refusal(why: str) -> BundleError:
    """Return the error of a bundle that is not imported."""
    return BundleError(
        "the bundle is refused",
        why=why,
        next="fetch it again from where it was made; nothing was imported",
    )
