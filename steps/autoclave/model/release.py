"""The release as a whole: everything that runs, decides or is shown, by digest in one document."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from autoclave.errors import StoreError
from autoclave.model.digest import digest_of
from autoclave.model.text import matching

TITLE = "release.json"
"""The title under which every verification record carries the document."""

MEDIA_TYPE = "application/vnd.autoclave.release.v1+json"
LARGEST = 4 << 20
"""Most bytes of a document, and of each of its files."""

_DIGEST = Annotated[
    str,
    matching(
        r"sha256:[0-9a-f]{64}",
        says="sha256: and 64 digits of 0 to 9 and a to f",
        example="sha256:" + "0" * 64,
    ),
]


def manifests_of(environment: str) -> str:
    """Return the title of the manifests of an environment, as they were rendered."""
    return f"manifests/{environment}.yaml"


class ReleaseDocument(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """One release of a device: its images and its files, each by digest; who it is, and what made it.

    `files` are by title: the device file, the policy in force, register, decisions, and what each environment
    needs besides (`manifests/ENVIRONMENT.yaml`). `commit` and `tree` are git's, empty for a release
    of a working tree. There is no time in it: the same release has the same digest whenever it is judged.
    """

    device: str
    version: str
    safety_class: str
    commit: str
    tree: str
    images: Annotated[dict[str, _DIGEST], Meta(min_length=1)]
    files: dict[str, _DIGEST]
    tools: dict[str, str]


class OpenedRelease(Struct, frozen=True):
    """A release and its digest, by which people and records name it."""

    digest: str
    document: ReleaseDocument


def encode(document: ReleaseDocument) -> bytes:
    """Return the bytes of a document: the same for the same release."""
    return msgspec.json.encode(document, order="sorted")


def parse(raw: bytes) -> OpenedRelease:
    """Read a document. Raises StoreError when it is none, or not written as `encode` writes it."""
    digest = digest_of(raw)
    try:
        document = msgspec.json.decode(raw, type=ReleaseDocument)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(
            f"{digest} is not a release",
            why=str(error),
            next="'autoclave sign' prints the release's digest, and so does 'autoclave show'",
        ) from error
    if encode(document) != raw:
        raise StoreError(f"{digest} is not a release", why="it is not in the canonical form")
    return OpenedRelease(digest, document)
