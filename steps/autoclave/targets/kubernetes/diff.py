"""What applying would change, object by object, as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autoclave.model.digest import Digest

_NOISE = frozenset({"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"})
_NOISY_ANNOTATIONS = frozenset(
    {"deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration"}
)
_LONGEST = 72  # characters of a value that are shown
_MOST = 60  # lines of a whole diff

Object = Mapping[str, Any]


def describe(live: Sequence[Object], coming: Sequence[Object]) -> list[str]:
    """Return the lines of a diff between the cluster's objects and what they would be."""
    before = {_key(each): each for each in live}
    lines: list[str] = []
    same = 0
    for new in coming:
        old = before.get(_key(new))
        title = f"{new['kind']}/{new['metadata']['name']}"
        if old is None:
            lines.append(f"+ {title}  created{_images(new)}")
            continue
        changes = list(list_changes(old, new))
        same += not changes
        if changes:
            lines.append(f"~ {title}")
            lines += [f"    {change}" for change in changes]
    if len(lines) > _MOST:
        lines = [*lines[:_MOST], f"… and {len(lines) - _MOST} more lines"]
    return lines + ([f"= {same} unchanged"] if same else [])


def list_changes(old: Object, new: Object) -> Iterator[str]:
    """Yield `path: old → new` for each field; the values of secrets are not shown."""
    secret = new.get("kind") == "Secret"
    before, after = dict(flatten(old)), dict(flatten(new))
    for path in dict.fromkeys([*before, *after]):
        was, becomes = before.get(path, _ABSENT), after.get(path, _ABSENT)
        if was == becomes:
            continue
        if secret and path.startswith(("data", "stringData")):
            yield f"{path}: changed (not shown)"
        else:
            yield f"{path}: {_show(was)} → {_show(becomes)}"


_ABSENT = object()


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of each field, without the cluster's own."""
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            if (not path and key == "status") or (path == "metadata" and key in _NOISE):
                continue
            if path == "metadata.annotations" and key in _NOISY_ANNOTATIONS:
                continue
            word = f"[{key}]" if "." in key or "/" in key else f".{key}" if path else key
            yield from flatten(each, f"{path}{word}")
    elif isinstance(value, list) and value:
        for number, each in enumerate(value):
            name = each.get("name", number) if isinstance(each, Mapping) else number
            yield from flatten(each, f"{path}[{name}]")
    else:
        yield path, value


def _show(value: Any) -> str:
    if value is _ABSENT:
        return "nothing"
    text = str(value)
    if "@sha256:" in text:  # of a reference, the digest is what matters
        repository, _, digest = text.partition("@")
        return f"{repository.rpartition('/')[2]}@{Digest(digest).short}"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _images(of: Object) -> str:
    found = [str(value) for path, value in flatten(of) if path.endswith(".image")]
    return "".join(f", {_show(each)}" for each in found)


def _key(of: Object) -> tuple[str, str, str]:
    return str(of.get("apiVersion", "")).rpartition("/")[0], str(of["kind"]), str(of["metadata"]["name"])
