"""Plug-ins by name: the modules of a package, of which there is no other list."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from msgspec import Struct

from autoclave.errors import AutoclaveError, UsageError
from autoclave.runtime.toml import nearest


class Plugins(Struct, frozen=True, kw_only=True):
    """The plug-ins of a package: every module but its `helpers`, named like its file with `-` for `_`.

    `folders` is the package's `__path__`. `kind` is what messages call one of them, `error` what is raised
    for a name that none has.
    """

    package: str
    folders: Sequence[str]
    kind: str
    helpers: frozenset[str]
    error: type[AutoclaveError] = UsageError

    def names(self) -> tuple[str, ...]:
        """Return the names of all, sorted; none of them is imported for it."""
        found = {each.name for each in pkgutil.iter_modules(self.folders)} - self.helpers
        return tuple(sorted(name.replace("_", "-") for name in found))

    def load(self, name: str) -> ModuleType:
        """Import the one of that name. Raises `error`, with the nearest name, when there is none."""
        known = self.names()
        if name not in known:
            raise self.error(f"there is no {self.kind} '{name}'", next=nearest(name, known))
        return import_module(f"{self.package}.{name.replace('-', '_')}")
