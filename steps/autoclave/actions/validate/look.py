"""One image of the device, and what its Dockerfile shows."""

from __future__ import annotations

from msgspec import Struct

from autoclave.device.dockerfile.outline import Outline
from autoclave.device.dockerfile.stages import Stages
from autoclave.device.schema import Image


class Look(Struct, frozen=True):
    """One image that is looked at, with its place in messages."""

    image: Image
    index: int
    known: Stages
    released: Outline
    where: str

    def key(self, name: str) -> str:
        """Return the path of a key of this image."""
        return f"image[{self.index}].{name}"
