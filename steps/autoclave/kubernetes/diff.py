"""What an apply would change, object by object, in lines that a person reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Object = Mapping[str, Any]

_NOISE = frozenset({"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"})
_OURS = frozenset({"deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration"})
_WIDEST = 60
_MOST = 40


def lines(live: Sequence[Object], wanted: Sequence[Object]) -> list[str]:
    """Return the difference between the cluster and what a dry run says it would become."""
    before = {title(each): each for each in live}
    found: list[str] = []
    for each in wanted:
        name = title(each)
        if name not in before:
            found.append(f"+ {name}")
            continue
        changes = list(_changes("", clean(before[name]), clean(each)))
        found.append(f"{'~' if changes else '='} {name}{'' if changes else ' unchanged'}")
        found += [f"    {change}" for change in changes[:_MOST]]
        if len(changes) > _MOST:
            found.append(f"    and {len(changes) - _MOST} more")
    return found


def clean(of: Object) -> dict[str, Any]:
    """Return an object without what the cluster adds to it by itself."""
    kept = {key: value for key, value in of.items() if key != "status"}
    metadata = {key: value for key, value in (of.get("metadata") or {}).items() if key not in _NOISE}
    annotations = {k: v for k, v in (metadata.pop("annotations", None) or {}).items() if k not in _OURS}
    return {**kept, "metadata": metadata | ({"annotations": annotations} if annotations else {})}


def title(of: Object) -> str:
    """Return how kubectl calls an object: `Deployment/gateway`."""
    return f"{of.get('kind')}/{(of.get('metadata') or {}).get('name')}"


def _changes(path: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _changes(f"{path}.{key}" if path else str(key), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _listed(path, old, new)
    elif old != new:
        yield f"{path}: {_shown(old)} → {_shown(new)}"


def _listed(path: str, old: list[Any], new: list[Any]) -> Iterator[str]:
    """Compare lists of named things by name, others by place."""
    named = all(isinstance(each, Mapping) and "name" in each for each in [*old, *new])
    before = {str(each["name"]) if named else str(number): each for number, each in enumerate(old)}
    after = {str(each["name"]) if named else str(number): each for number, each in enumerate(new)}
    for key in [*before, *(key for key in after if key not in before)]:
        yield from _changes(f"{path}[{key}]", before.get(key), after.get(key))


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = str(value)
    if "@sha256:" in text:
        return f"{text.partition('@')[0].rpartition('/')[2]}@{text.partition('@')[2][:19]}…"
    return text if len(text) <= _WIDEST else f"{text[:_WIDEST]}…"
