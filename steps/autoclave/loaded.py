"""Make sure that the engine holds exactly the image that the store names by digest."""

from __future__ import annotations

from autoclave.context import Context
from autoclave.engines.base import ImageState
from autoclave.errors import StoreError
from autoclave.store.image import identity
from autoclave.store.load import give
from autoclave.store.oci import Descriptor


def loaded(descriptor: Descriptor, ctx: Context) -> ImageState:
    """Return the engine's image for a digest, loading it from the store when the engine lacks it.

    The classic image store calls an image by its configuration's digest, the containerd store by
    its manifest's; either proves that it is this image. Raises StoreError when neither appears.
    """
    names = (identity(ctx.store, descriptor.digest).config, descriptor.digest)
    found = _find(names, ctx)
    if found is None:
        ctx.engine.load(give(ctx.store, descriptor.digest, name=""))
        found = _find(names, ctx)
    if found is None:
        raise StoreError(
            f"the engine does not hold {descriptor.digest} after loading it",
            why="neither its configuration's nor its manifest's digest is known there",
        )
    return found


def _find(names: tuple[str, str], ctx: Context) -> ImageState | None:
    for name in names:
        found = ctx.engine.image(name)
        if found and found.id in names:
            return found
    return None
