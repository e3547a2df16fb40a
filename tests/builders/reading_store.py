"""A store that counts what is read from it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from autoclave.runtime.folder import Folder
from autoclave.store.base import SMALL
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import Descriptor


class ReadingStore(LayoutStore):
    """A layout that counts, by digest, how often an image's records were listed and content was read."""

    def __init__(self, root: Path | Folder) -> None:
        super().__init__(root)
        self.listed: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()

    def referrers(self, digest: str, *, artifact_type: str = "") -> list[Descriptor]:
        """Count the listing."""
        self.listed[digest] += 1
        return super().referrers(digest, artifact_type=artifact_type)

    def read(self, digest: str, *, limit: int = SMALL) -> bytes:
        """Count the reading."""
        self.reads[digest] += 1
        return super().read(digest, limit=limit)
