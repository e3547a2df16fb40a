"""Places inside of an object, by their path: `spec.templates[*].container`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct


class Place(Struct, frozen=True):
    """A value, where it is, and the mapping or list that has it under `key`."""

    where: str
    value: Any
    holder: Any
    key: Any

    @property
    def template(self) -> Any:
        """The pod template that a specification of pods belongs to; None without one."""
        return self.holder if self.key == "spec" and isinstance(self.holder, Mapping) else None


def find_at(data: Any, path: str) -> list[Place]:
    """Return what is at a path; `[*]` is each part of a list or map. What is not there is left out."""
    found = [Place("", data, None, None)]
    for word in path.split("."):
        name, every, _ = word.partition("[*]")
        found = [
            Place(f"{each.where}.{name}" if each.where else name, each.value[name], each.value, name)
            for each in found
            if isinstance(each.value, Mapping) and each.value.get(name) is not None
        ]
        if every:
            found = [part for each in found for part in _parts(each)]
    return found


def _parts(place: Place) -> Iterator[Place]:
    value = place.value
    parts = (
        value.items() if isinstance(value, Mapping) else enumerate(value if isinstance(value, list) else ())
    )
    for key, each in list(parts):
        yield Place(f"{place.where}[{key}]", each, value, key)
