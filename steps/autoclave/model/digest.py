"""Digests: of bytes, in full and in short, and what `NAME=DIGEST,NAME=DIGEST` means.

What is stored, signed and passed on is a digest's text, `sha256:<64 hex>`. `Digest` shows parts of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from autoclave.errors import StoreError, UsageError

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PREFIX = "sha256:"
_SHORT = len(_PREFIX) + 12


def digest_of(raw: bytes) -> str:
    """Return `sha256:<hex>` of the bytes."""
    return _PREFIX + hashlib.sha256(raw).hexdigest()


def check_digest(digest: str) -> str:
    """Return the digest when it is a well-formed `sha256:<64 hex>`; raise StoreError otherwise."""
    if not _DIGEST.fullmatch(digest):
        raise StoreError(
            f"{digest[:100]!r} is not an image digest",
            why="a digest is 'sha256:' and 64 lower-case hexadecimal digits",
            next="take it from 'autoclave build' or 'autoclave status'",
        )
    return digest


class Digest(Struct, frozen=True):
    """A digest, and the parts of it that are shown. An empty text has empty parts."""

    text: str

    @property
    def hex(self) -> str:
        """The hexadecimal digits alone."""
        return self.text.removeprefix(_PREFIX)

    @property
    def short(self) -> str:
        """The first 12 digits, for messages: `sha256:0123456789ab…`."""
        return f"{self.text[:_SHORT]}…" if self.text else ""


class Digests(Struct, frozen=True):
    """The digests that an option gives: one for each image by name, or one for the only image.

    `named` is true when they were given by name: then a missing digest is never guessed.
    """

    by_image: Mapping[str, str]
    named: bool = False
    option: str = "--digest"

    @classmethod
    def parse(cls, text: str, images: Sequence[str], *, option: str = "--digest") -> Digests:
        """Read `NAME=DIGEST,…`, or one digest when `images` is a single image; an empty text is no digest.

        Raises UsageError when a digest cannot be assigned to one image, StoreError when it is not a digest.
        """
        if not text:
            return cls({}, option=option)
        if "=" in text:
            return cls(_by_image(text, option), named=True, option=option)
        if len(images) != 1:
            raise UsageError(
                f"{option} has one digest for several images",
                why=f"it could be the digest of any of: {', '.join(images)}",
                next=_NEXT,
            )
        return cls({images[0]: check_digest(text)}, option=option)

    def of(self, image: str) -> str:
        """Return the digest of an image; empty when the option does not give one.

        Raises UsageError when digests are given by name, and this name is not among them.
        """
        if self.named and image not in self.by_image:
            given = ", ".join(sorted(self.by_image))
            raise UsageError(
                f"{self.option} gives no digest for the image '{image}'",
                why=f"it has {given}; the image built last may belong to another pipeline",
                next=_NEXT,
            )
        return self.by_image.get(image, "")


_NEXT = "give a digest for each image, as the build step prints them: NAME=DIGEST,NAME=DIGEST"


def _by_image(text: str, option: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in text.split(","):
        name, equals, digest = pair.partition("=")
        if not equals:
            what = f"{pair[:100]!r}, which is not NAME=DIGEST"
        elif not name:
            what = "a digest without the name of its image"
        elif name in found:
            what = f"two digests for the image '{name[:100]}'"
        elif not digest:
            what = f"no digest for the image '{name[:100]}'"
        else:
            found[name] = check_digest(digest)
            continue
        raise UsageError(f"{option} has {what}", why=f"it is {text[:300]!r}", next=_NEXT)
    return found
