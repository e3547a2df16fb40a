"""A kustomization, checked and written anew: what was checked is exactly what kustomize reads.

Kustomize accepts keys in any case, addresses that look like folders, and programs. So nothing of a device's
kustomization reaches it as it is: the keys that are known here are written as JSON into a folder of our own,
and the files that they name are copied beside it, at the same places.
Source: https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from typing import Any, Protocol

from autoclave.errors import ConfigError
from autoclave.runtime.folder import Folder, Kind
from autoclave.targets.kubernetes import go_yaml
from autoclave.targets.kubernetes.copies import Copies

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_MOST = 500  # kustomizations that use each other

# Without a file, a folder or an address in any of their fields.
_PLAIN = frozenset(
    {
        "apiVersion", "kind", "metadata", "namePrefix", "nameSuffix", "namespace", "commonLabels", "labels",
        "commonAnnotations", "images", "replicas", "vars", "sortOptions", "generatorOptions", "buildMetadata",
    }
)  # fmt: skip
_FOLDERS = ("resources", "bases", "components")
_FILES = ("crds", "configurations")
_PATCHES = {
    "patches": {"path", "patch", "target", "options"},
    "patchesJson6902": {"path", "patch", "target", "options"},
    "replacements": {"path", "source", "targets"},
}
_GENERATORS = ("configMapGenerator", "secretGenerator")
_GENERATED = {"name", "namespace", "behavior", "files", "envs", "env", "literals", "options", "type"}
_ADDRESS = re.compile(r"[:?@%\\]|^github\.com|^gh/", re.IGNORECASE)


class Reference(Protocol):
    """Is called with each file that a kustomization names, and the key that names it."""

    def __call__(self, key: str, file: str, /) -> None:
        """Note the file, or raise ConfigError."""


def stage(name: str, device: Folder, target: Folder) -> str:
    """Write a kustomization and all that it uses into an empty folder, each once at its place; return that.

    Raises ConfigError, naming file and key, for what is not known, not in the repository, or runs something,
    and above a bound; SourceError for links, and for what is not a plain file.
    """
    start = _join("", name)
    copies = Copies(name, device, target)
    waiting, done = [start], set[str]()
    while waiting:
        place = waiting.pop()
        if place in done:
            continue
        done.add(place)
        if len(done) > _MOST:
            raise ConfigError(f"'{name}' uses more than {_MOST} kustomizations", next="use fewer")
        waiting += _stage_one(place, device, target, copies)
    return start


def _stage_one(place: str, device: Folder, target: Folder, copies: Copies) -> set[str]:
    """Write one kustomization and its files; return the folders that it uses."""
    file = _find(place, device)
    folders: set[str] = set()

    def use(key: str, named: str) -> None:
        if _ADDRESS.search(named) or named.startswith("/"):
            raise ConfigError(
                f"{file}: {key} '{named}' is outside the repository, or can be read as an address",
                why="what is deployed must come from the commit that was reviewed",
                next="copy it into the repository, and name it by a relative path",
            )
        path = _join(place, named, f"{file}: {key} '{named}'")
        kind = device.kind(path) if path else Kind.FOLDER
        if kind is Kind.FOLDER and key in _FOLDERS:
            folders.add(path)
        elif kind is None:
            raise ConfigError(f"{file}: {key} '{named}' is not in the repository")
        elif posixpath.basename(path) in NAMES:
            raise ConfigError(f"{file}: {key} '{named}' is a kustomization", next="name its folder")
        else:
            copies.add(path)

    text = json.dumps(check(copies.read(file), file, use))
    target.write(_join(place, NAMES[0]), [text.encode()])
    return folders


def _find(place: str, device: Folder) -> str:
    """Return the file of a kustomization. Raises ConfigError unless there is exactly one."""
    found = [path for each in NAMES if device.kind(path := _join(place, each)) is not None]
    if len(found) != 1:
        raise ConfigError(
            f"'{place}' is not a kustomization that can be used",
            why=f"it has {', '.join(found)}" if found else "it has no kustomization.yaml",
            next="it needs exactly one",
        )
    return found[0]


def _join(place: str, named: str, what: str = "") -> str:
    """Return a path from the device folder on. Raises ConfigError when it leaves it."""
    path = posixpath.normpath(posixpath.join(place, named))
    if path == ".." or path.startswith(("../", "/")) or "\0" in path:
        raise ConfigError(
            f"{what or named} is outside the repository",
            why="what is deployed must come from the commit that was reviewed",
            next="copy it into the repository",
        )
    return "" if path == "." else path


def check(raw: bytes, file: str, use: Reference) -> dict[str, Any]:
    """Return a kustomization with the keys that are known; `use` is called for each file that it names."""
    content = _read(raw, file)
    made: dict[str, Any] = {}
    for key, value in content.items():
        if key in _PLAIN:
            made[key] = value
        elif key in (*_FOLDERS, *_FILES):
            made[key] = [_used(key, each, file, use) for each in _list(value, file, key)]
        elif key in _PATCHES:
            items = [_check_patch(key, each, file, use) for each in _list(value, file, key)]
            made[key] = [*made.get(key, []), *items]
        elif key == "patchesStrategicMerge":
            made.setdefault("patches", []).extend(
                {"patch": each}
                if isinstance(each, str) and "\n" in each
                else {"path": _used(key, each, file, use)}
                for each in _list(value, file, key)
            )
        elif key in _GENERATORS:
            made[key] = [_check_generator(key, each, file, use) for each in _list(value, file, key)]
        else:
            raise ConfigError(
                f"{file}: refused: {key}",
                why="it may run or fetch what is not part of the commit",
                next=f"known keys, in this spelling: {', '.join(sorted(_KNOWN))}",
            )
    return made


_KNOWN = {*_PLAIN, *_FOLDERS, *_FILES, *_PATCHES, *_GENERATORS, "patchesStrategicMerge"}


def _check_patch(key: str, item: Any, file: str, use: Reference) -> dict[str, Any]:
    fields = _fields(item, _PATCHES[key], file, key)
    if fields.get("path"):
        _used(f"{key}.path", fields["path"], file, use)
    return fields


def _check_generator(key: str, item: Any, file: str, use: Reference) -> dict[str, Any]:
    fields = _fields(item, _GENERATED, file, key)
    for each in _list(fields.get("files"), file, f"{key}.files"):
        _used(f"{key}.files", _text(each, file, f"{key}.files").partition("=")[2] or each, file, use)
    named = [*_list(fields.get("envs"), file, f"{key}.envs"), *([fields["env"]] if fields.get("env") else [])]
    for each in named:
        _used(f"{key}.envs", each, file, use)
    return fields


def _used(key: str, value: Any, file: str, use: Reference) -> str:
    name = _text(value, file, key)
    use(key, name)
    return name


def _text(value: Any, file: str, key: str) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ConfigError(f"{file}: {key} {value!r:.100} is not the name of a file")
    return value


def _list(value: Any, file: str, key: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ConfigError(f"{file}: {key} is not a list")
    return value


def _fields(item: Any, known: set[str], file: str, key: str) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise ConfigError(f"{file}: an entry of {key} is not a mapping")
    if unknown := sorted(item.keys() - known):
        raise ConfigError(
            f"{file}: refused: {key}.{unknown[0]}",
            next=f"known keys, in this spelling: {', '.join(sorted(known))}",
        )
    return item


def _read(raw: bytes, file: str) -> dict[str, Any]:
    try:
        documents = go_yaml.load(raw.decode("utf-8"), file)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not YAML that can be used", why=str(error)) from error
    if len(documents) > 1:
        raise ConfigError(f"{file} is not YAML that can be used", why=f"it has {len(documents)} documents")
    plain = _copy(documents[0]) if documents else None
    if not isinstance(plain, dict):
        raise ConfigError(f"{file}: refused: not a mapping", why="a kustomization is a mapping of keys")
    return plain


def _copy(value: Any) -> Any:
    """Return a value without shared parts."""
    if isinstance(value, Mapping):
        return {key: _copy(each) for key, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list) else value
