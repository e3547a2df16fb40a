"""An image as suppliers' statements may name it."""

from __future__ import annotations

from autoclave.context import Context
from autoclave.model.vex import Product
from autoclave.store.base import is_address
from autoclave.store.image import read_identity
from autoclave.store.registry import address


def find_product(image: str, digest: str, ctx: Context) -> Product:
    """Return the image of that name and digest as a product: with its repository, when the store is one."""
    found = address.parse(ctx.options.store) if is_address(ctx.options.store) else None
    last = [found.repository.rpartition("/")[2]] if found else []
    return Product(
        digest=digest,
        names=tuple(dict.fromkeys([image.lower(), *last])),
        repositories=(f"{found.host}/{found.repository}",) if found else (),
        architecture=read_identity(ctx.store, digest).architecture,
    )
