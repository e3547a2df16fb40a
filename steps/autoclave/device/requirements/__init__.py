"""Read the device's requirements: CSV, TOML, Doorstop or StrictDoc."""

from __future__ import annotations

from pathlib import Path

from autoclave.device.requirements import csv, doorstop, rows, strictdoc, toml
from autoclave.device.schema import resolve_inside
from autoclave.errors import ConfigError
from autoclave.model.declared import Requirement

_FILES = {".csv": csv.read, ".toml": toml.read, ".sdoc": strictdoc.read}


def read(folder: Path, name: str) -> tuple[Requirement, ...]:
    """Read a file, or a folder of Doorstop's or StrictDoc's files, of a device; `source` is file and line.

    Raises SourceError for what is missing or leaves the device folder, ConfigError for content, naming
    file and line.
    """
    start = resolve_inside(folder, name)
    if start.is_dir():
        found = _folder(folder, start, name)
    elif start.suffix.lower() in _FILES:
        found = _FILES[start.suffix.lower()](rows.read_text(folder, start), rows.relative_name(folder, start))
    else:
        raise ConfigError(
            f"{name}: not a known format of requirements",
            why="the format is known by the ending of the name",
            next="use .csv, .toml or .sdoc, or a folder of Doorstop's or StrictDoc's files",
        )
    rows.refuse_duplicates(found)
    return tuple(found)


def _folder(folder: Path, start: Path, name: str) -> list[Requirement]:
    files = rows.files_below(folder, start)
    if any(each.name == doorstop.SETTINGS for each in files):
        return doorstop.read(folder, files)
    documents = [each for each in files if each.suffix.lower() == ".sdoc"]
    if documents:
        found = [
            strictdoc.read(rows.read_text(folder, each), rows.relative_name(folder, each))
            for each in documents
        ]
        return [requirement for each in found for requirement in each]
    raise ConfigError(
        f"{name}: a folder without requirements",
        why=f"it has neither Doorstop's {doorstop.SETTINGS} nor a .sdoc file of StrictDoc",
        next="fix device.requirements in autoclave.toml",
    )
