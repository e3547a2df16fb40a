"""A chart, copied: Helm renders a folder of plain files, without a link, and schemas that fetch nothing.

Helm follows links, and a template can print any file of its chart; a schema's `$ref` is read from the disk or
fetched. Source: Helm 3.22, pkg/chart/loader and pkg/chartutil/jsonschema.go.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

from autoclave.device.files import PRIVATE
from autoclave.device.schema import resolve_inside
from autoclave.errors import ConfigError, SourceError
from autoclave.runtime.folder import Folder, Kind
from autoclave.store.archive.file_tar import GZIP, DamagedTar, Members, decompress

SCHEMA = "values.schema.json"
_LARGEST, _MOST, _DEEPEST = (
    100 << 20,
    20_000,
    32,
)  # bytes, files, folders in each other: Helm's limits or above
_ARCHIVES = 4  # archives in archives
_KEYS = {"$ref", "$dynamicref", "$recursiveref"}
_BUILT_IN = re.compile(r"https?://json-schema\.org/((draft-0[467]|draft/2019-09|draft/2020-12)/)?schema#?")


def stage(name: str, device: Folder, target: Folder) -> None:
    """Copy a chart into a folder; a link that stays in the repository becomes what it leads to.

    Raises SourceError for a link that leaves the repository, and for what is neither file nor folder;
    ConfigError for a schema that refers to anything outside itself.
    """
    start = "" if PurePosixPath(name) == PurePosixPath() else name  # a repository may be a chart itself
    if device.kind(_join(start, "Chart.yaml")) is None:
        raise SourceError(f"'{name}' is not a Helm chart: it has no Chart.yaml")
    size = count = 0
    packed = _Packed()
    for path, source in _files(start, PurePosixPath(), device, 0):
        raw = device.read(source, limit=_LARGEST)
        size, count = size + len(raw), count + 1
        if size > _LARGEST or count > _MOST:
            raise ConfigError(f"'{name}' is larger than {_LARGEST >> 20} MiB or {_MOST:,} files")
        target.write(str(path), [clean(f"{name}/{path}", raw, packed)])


def _files(
    source: str, path: PurePosixPath, device: Folder, depth: int
) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield the files of a folder: the place in the chart, and the place in the repository."""
    if depth > _DEEPEST:
        raise SourceError(f"'{source}' has folders in each other too deeply", why="or a link leads back")
    for each in (device.at(source) if source else device).names():
        inner = _join(source, each)
        kind = device.kind(inner)
        if kind is not Kind.LINK and each.lower() in PRIVATE:
            continue
        if kind is Kind.LINK:
            real = resolve_inside(device.path, inner).relative_to(device.path.resolve())
            inner = real.as_posix() if real.parts else ""
            kind = device.kind(inner) if inner else Kind.FOLDER
        if PRIVATE & {part.lower() for part in PurePosixPath(inner).parts}:
            raise SourceError(f"'{path / each}' of the chart is {inner}", why="it is not part of the commit")
        if kind is Kind.FOLDER:
            yield from _files(inner, path / each, device, depth + 1)
        elif kind is Kind.FILE:
            yield path / each, inner
        else:
            raise SourceError(f"'{_join(source, each)}' is {kind.value if kind else 'a link to nothing'}")


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


class _Packed:
    """What may still come out of a chart's archives, of all of them together."""

    def __init__(self) -> None:
        self._bytes, self._files = _LARGEST, _MOST

    def count(self, name: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass on what was unpacked. Raises ConfigError when it is too much."""
        for chunk in chunks:
            self._bytes -= len(chunk)
            if self._bytes < 0:
                raise ConfigError(
                    f"{name}: the archives of the chart unpack to more than {_LARGEST >> 20} MiB",
                    next="split the chart",
                )
            yield chunk

    def count_file(self, name: str) -> None:
        """Count one more file. Raises ConfigError when there are too many."""
        self._files -= 1
        if self._files < 0:
            raise ConfigError(
                f"{name}: the archives of the chart have more than {_MOST:,} files", next="split the chart"
            )


def clean(name: str, raw: bytes, packed: _Packed, depth: int = 0) -> bytes:
    """Return a file of a chart as Helm may have it: a packed dependency is packed anew from what is in it.

    Raises ConfigError for a schema that refers to anything outside itself, also in a packed dependency.
    """
    if name.lower().endswith(SCHEMA):
        _check_schema(name, raw)
    path = PurePosixPath(name)
    if path.parent.name != "charts" or path.suffix != ".tgz":
        return raw
    if depth >= _ARCHIVES:
        raise ConfigError(f"{name}: archives in each other too deeply")
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", format=tarfile.PAX_FORMAT, compresslevel=1) as archive:
        for member, content in _members(name, raw, packed):
            cleaned = clean(f"{name}:/{member}", content, packed, depth + 1)
            header = tarfile.TarInfo(member)
            header.size = len(cleaned)
            archive.addfile(header, io.BytesIO(cleaned))
    return made.getvalue()


def _members(name: str, raw: bytes, packed: _Packed) -> Iterator[tuple[str, bytes]]:
    if not raw.startswith(GZIP):
        raise _make_error(name, "it is not compressed with gzip")
    try:
        for member, content in Members(packed.count(name, decompress([raw]))):
            packed.count_file(name)
            if not (member.isreg() or member.isdir()) or "\\" in member.name:
                raise ConfigError(f"{name}: {member.name} is not a plain file", next="pack plain files")
            if member.isreg():
                yield member.name, b"".join(content)
    except DamagedTar as error:
        raise _make_error(name, str(error)) from error


def _make_error(name: str, why: str) -> ConfigError:
    return ConfigError(f"{name} cannot be unpacked", why=why, next="pack it with 'helm package'")


def _check_schema(name: str, raw: bytes) -> None:
    try:
        json.loads(raw.decode("utf-8"), object_pairs_hook=lambda pairs: _check_pairs(name, pairs))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name} is not JSON", why=str(error)[:300], next="fix it, or remove it") from error


def _check_pairs(name: str, pairs: list[tuple[str, Any]]) -> None:
    """Check the keys of one object: all of them, for a key may be there twice."""
    for key, value in pairs:
        if not isinstance(value, str):
            continue
        is_foreign = key.lower() in _KEYS and not value.startswith("#")
        if is_foreign or (key.lower() == "$schema" and not _BUILT_IN.fullmatch(value)):
            raise ConfigError(
                f"{name}: {key} '{value[:200]}' is outside the schema",
                why="Helm would read it from this machine, or fetch it",
                next='write the definitions into the schema itself: "$ref": "#/$defs/NAME"',
            )
