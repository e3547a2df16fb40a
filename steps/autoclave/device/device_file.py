"""Read the device file: everything that is wrong with it, and with the paths that it names, at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import msgspec

from autoclave.device import keys
from autoclave.device.consistency import find_inconsistencies
from autoclave.device.schema import FILE, Device, resolve_inside
from autoclave.errors import AutoclaveError, ConfigError, SourceError, combine
from autoclave.runtime.folder import Folder
from autoclave.runtime.toml import parse_toml, to_error
from autoclave.runtime.values import UNKNOWN, find_problems

_LARGEST = 1 << 20  # bytes of a device file


class Reading(NamedTuple):
    """A device file as it was read: the device, `None` when it cannot be made of it, and what is wrong."""

    device: Device | None
    errors: tuple[AutoclaveError, ...]


def load(folder: Path) -> Device:
    """Read the device file of a repository. Raises ConfigError, SourceError that name all that is wrong."""
    return _require(read(folder), str(folder / FILE))


def parse(raw: bytes, *, source: str) -> Device:
    """Read a device file that stands alone: the files that it names are not there. Raises ConfigError."""
    return _require(_parse(raw, source), source)


def read(folder: Path) -> Reading:
    """Read the device file of a repository, and look for what it names."""
    source = str(folder / FILE)
    device_folder = Folder(folder)
    try:
        if device_folder.kind(FILE) is None:
            missing = ConfigError(f"{source} does not exist", next="'autoclave init' writes a starter")
            return Reading(None, (missing,))
        raw = device_folder.read(FILE, limit=_LARGEST)
    except AutoclaveError as error:
        return Reading(None, (error,))
    seen = _parse(raw, source)
    if seen.device is None:
        return seen
    return Reading(seen.device, (*seen.errors, *_check_paths(folder, seen.device)))


def _require(seen: Reading, source: str) -> Device:
    if error := combine(seen.errors, source):
        if len(seen.errors) > 1:
            error.next = "fix all of them; 'autoclave validate --explain KEY' describes a key"
        raise error
    assert seen.device is not None  # noqa: S101 -- without a device there is an error
    return seen.device


def _parse(raw: bytes, source: str) -> Reading:
    try:
        data = parse_toml(raw.decode("utf-8"), source)
    except UnicodeDecodeError as error:
        return Reading(None, (ConfigError(f"{source} cannot be read", why=str(error)),))
    except ConfigError as error:
        return Reading(None, (error,))
    try:
        device = msgspec.convert(data, type=Device)
    except msgspec.ValidationError as error:
        found = tuple(_find_errors(data, source))
        return Reading(None, found or (ConfigError(f"{source} cannot be read", why=str(error)),))
    return Reading(device, tuple(find_inconsistencies(device, source)))


def _find_errors(data: dict[str, Any], source: str) -> Iterator[ConfigError]:
    """Yield an error for each key that is wrong, with the key's own example."""
    for problem in find_problems(data, Device):
        error = to_error(problem, source)
        key = keys.find(problem.path)
        if key and problem.what != UNKNOWN:
            error.next = "for example" + ("\n" if key.is_table else " ") + key.example
        yield error


def _check_paths(folder: Path, device: Device) -> Iterator[AutoclaveError]:
    """Yield an error for each path of the file that leaves the folder, or that must be there and is not."""
    yield from _leaving(folder, device.device.decisions)
    for key in ("requirements", "soup"):
        yield from _missing(folder, getattr(device.device, key), f"device.{key}")
    yield from _missing(folder, device.traceability.links, "traceability.links", is_file=True)
    copied: list[str] = []
    for image in device.image:
        outside = list(_leaving(folder, image.context))
        yield from outside or _leaving(folder, str(PurePosixPath(image.context) / image.dockerfile))
        tests = device.tests_of(image)
        copied += tests.copy if tests else []
    for item in dict.fromkeys(copied):
        yield from _leaving(folder, item)


def _leaving(folder: Path, path: str) -> Iterator[SourceError]:
    try:
        resolve_inside(folder, path)
    except SourceError as error:
        yield error


def _missing(folder: Path, path: str, key: str, *, is_file: bool = False) -> Iterator[SourceError]:
    if not path:
        return
    try:
        found = resolve_inside(folder, path)
    except SourceError as error:
        yield error
        return
    if is_file and not found.is_file():
        yield SourceError(f"'{path}' is not a file", next=f"fix {key} in {FILE}")
    elif not found.exists():
        yield SourceError(f"'{path}' does not exist", next=f"fix {key} in {FILE}, or add the file")
