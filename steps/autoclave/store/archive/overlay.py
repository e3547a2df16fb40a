"""Layers of an image, laid over each other as an engine does it: which files a container sees.

Source: OCI image specification 1.1 (layer.md: whiteouts, opaque folders).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from autoclave.errors import StoreError

WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_LARGEST = 512 << 20  # characters of all paths: a path of a few bytes can have a thousand folders above it


class Entry(Struct, frozen=True):
    """A path of an image: its kind, permissions, owner (`uid:gid`), and what it contains.

    `content` is the digest of a file, the target of a link, the numbers of a device; `attributes` are the
    extended ones, such as capabilities.
    """

    kind: str
    mode: int = 0o755
    owner: str = "0:0"
    content: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


Layer = Sequence[tuple[str, Entry | None]]
"""What a layer does to each path, in its order; None at `.wh.NAME` removes NAME."""

Files = Mapping[str, Entry]
"""The entries of an image by path, without a leading slash."""


def overlay(layers: Iterable[Layer]) -> Files:
    """Return what a container sees of these layers, lowest first. Raises StoreError above a bound."""
    tree = Tree()
    for layer in layers:
        tree.lay(layer)
    return tree.files


class Tree:
    """Entries by path, and the names in each folder: removing one costs as much as what is in it."""

    def __init__(self) -> None:
        self.files: dict[str, Entry] = {}
        self._names: defaultdict[str, set[str]] = defaultdict(set)
        self._left = _LARGEST

    def lay(self, layer: Layer) -> None:
        """Lay one more layer over what is there. Raises StoreError above a bound."""
        for path, entry in layer:  # what a layer removes is below it, whatever the order in its archive
            if entry is None:
                _remove(self, path)
        for path, entry in layer:
            if entry is not None:
                self.add(path, entry)

    def add(self, path: str, entry: Entry) -> None:
        """Put an entry at a path; what is above it becomes a folder."""
        missing = [path]
        while (path := _split(path)[0]) and (path not in self.files or self.files[path].kind != "folder"):
            missing.append(path)
        for each in reversed(missing):
            made = entry if each == missing[0] else Entry("folder")
            if made.kind != "folder":
                self.clear(each)
            if each not in self.files:
                self._left -= len(each)
                if self._left < 0:
                    raise StoreError(
                        "the image cannot be read", why=f"its paths have more than {_LARGEST:,} characters"
                    )
                folder, name = _split(each)
                if name:  # the root itself is in no folder
                    self._names[folder].add(name)
            self.files[each] = made

    def remove(self, path: str) -> None:
        """Remove a path and all that is below it."""
        self.clear(path)
        if self.files.pop(path, None):
            self._left += len(path)
            folder, name = _split(path)
            self._names[folder].discard(name)

    def clear(self, folder: str) -> None:
        """Remove all that is below a folder."""
        pending = [folder]
        while pending:
            above = pending.pop()
            for name in self._names.pop(above, ()):
                path = f"{above}/{name}" if above else name
                if self.files.pop(path, None):
                    self._left += len(path)
                pending.append(path)


def _remove(tree: Tree, path: str) -> None:
    folder, name = _split(path)
    if name == _OPAQUE:
        tree.clear(folder)
    elif not name.startswith(WHITEOUT * 2):  # other marks of an engine's own
        tree.remove(f"{folder}/{name.removeprefix(WHITEOUT)}".lstrip("/"))


def _split(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return folder, name
