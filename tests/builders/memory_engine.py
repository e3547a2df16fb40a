"""What reading the materials of a build asks an engine: which images it has, and what it is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from autoclave.engines.base import BuildRequest, Engine, ImageState


class MemoryEngine:
    """An engine with images in memory; `registry` has those that can be pulled."""

    def __init__(self, builder: str = "buildkit", platform: str = "linux/amd64") -> None:
        self.images: dict[str, ImageState] = {}
        self.registry: dict[str, ImageState] = {}
        self.pulled: list[str] = []
        self._builder = builder
        self._platform = platform

    @property
    def as_engine(self) -> Engine:
        """This, for functions that take an engine; what they must not ask is an AttributeError."""
        return cast(Engine, self)

    def builder(self) -> str:
        return self._builder

    def platform(self) -> str:
        return self._platform

    def image(self, reference: str) -> ImageState | None:
        return self.images.get(reference)

    def pull(self, reference: str, line: Callable[[str], None]) -> None:
        self.pulled.append(reference)
        self.images[reference] = self.registry[reference]

    def context_files(self, request: BuildRequest) -> list[Path]:
        context = request.folder / request.context
        return sorted(path.relative_to(context) for path in context.rglob("*"))


def image(content: str, **more: Any) -> ImageState:
    """Return an image whose id depends on its content."""
    return ImageState(id=f"sha256:{hashlib.sha256(content.encode()).hexdigest()}", layers=(), user="", **more)
