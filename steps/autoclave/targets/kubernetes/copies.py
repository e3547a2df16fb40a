"""The files that kustomizations use, copied into a folder of our own: each once, and all with one bound."""

from __future__ import annotations

from autoclave.errors import ConfigError
from autoclave.runtime.folder import Folder

_LARGEST = 2 << 20  # bytes of one file
_LARGEST_FILES, _MOST_FILES = 100 << 20, 20_000  # bytes and number of all files
_LARGEST_TEXT = 4 << 20  # bytes of all kustomizations


class Copies:
    """What the kustomization `name` and those that it uses take from a device."""

    def __init__(self, name: str, device: Folder, target: Folder) -> None:
        self._name = name
        self._device = device
        self._target = target
        self._done: set[str] = set()
        self._bytes = _LARGEST_FILES
        self._text = _LARGEST_TEXT

    def add(self, path: str) -> None:
        """Copy a file, unless it is there. Raises ConfigError above the bound."""
        if path in self._done:
            return
        self._done.add(path)
        raw = self._device.read(path, limit=_LARGEST)
        self._bytes -= len(raw)
        if self._bytes < 0 or len(self._done) > _MOST_FILES:
            raise ConfigError(
                f"'{self._name}' uses more than {_LARGEST_FILES >> 20} MiB or {_MOST_FILES:,} files",
                next="use fewer",
            )
        self._target.write(path, [raw])

    def read(self, path: str) -> bytes:
        """Return a kustomization. Raises ConfigError above the bound of all of them."""
        raw = self._device.read(path, limit=_LARGEST)
        self._text -= len(raw)
        if self._text < 0:
            raise ConfigError(
                f"the kustomizations that '{self._name}' uses have more than {_LARGEST_TEXT >> 20} MiB",
                next="use fewer",
            )
        return raw
