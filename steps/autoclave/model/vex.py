"""What a supplier states about a vulnerability of a product, in any format, as plain data.

A statement is about a product, or about a component of it: `part`. The same component in another product is
another matter.
"""

from __future__ import annotations

from msgspec import Struct

IMAGES = frozenset({"oci", "docker"})
"""The types of package URLs that name images."""


class Named(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A product or a component by all names that a statement gives it; one of them is enough.

    `purls` are package URLs as written. `digests` are those of images, `sha256:<64 hex>`. `others` are names
    with which nothing can be compared here: CPEs, IRIs, digests of other algorithms. `versions` is a range in
    the form `vers:TYPE/…`, when the package URL names none.
    """

    purls: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    versions: str = ""

    def __str__(self) -> str:
        name = next(iter((*self.purls, *self.digests, *self.others)), "a product without a name")
        return f"{name} {self.versions}".strip()[:200]


class Statement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One statement: the names of the vulnerability, its main one first, and what it is about."""

    names: tuple[str, ...]
    product: Named
    part: Named | None = None


class Product(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An image as the product of a statement.

    `names` are those by which a statement without a digest may name it: the device's, and the last part of
    its repository's. `repositories` are where it is, as `HOST/PATH`. `digest` is empty for no image in
    particular.
    """

    digest: str = ""
    names: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    architecture: str = ""
